"""The published schemas say what the server sends and takes, per version."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonschema
import pytest

from mangaassist.protocol import dump_frame, frame_adapter
from mangaassist.versions import SUPPORTED_VERSIONS
from tests.unit.test_protocol import FINAL
from tools.generate import ROOT, protocol_schemas

FRAMES: list[dict[str, Any]] = [
    {
        "type": "start",
        "response_id": "r",
        "sequence_number": 0,
        "session_id": "s",
        "message_id": "m",
        "protocol_version": 2,
        "session_resumed": False,
    },
    {"type": "delta", "response_id": "r", "sequence_number": 1, "text": "うずまき"},
    {
        "type": "correction",
        "response_id": "r",
        "sequence_number": 2,
        "text": "x",
        "reasons": [{"stage": "asin", "reason": "Unknown product."}],
    },
    FINAL,
    {
        "type": "error",
        "response_id": "r",
        "sequence_number": 0,
        "code": "malformed",
        "message": "No.",
        "retryable": False,
    },
    {"type": "pong", "response_id": "r", "sequence_number": 0},
]


def validator(version: int, part: str) -> jsonschema.Draft202012Validator:
    document = json.loads((ROOT / "docs" / "protocol" / f"v{version}.schema.json").read_text())
    return jsonschema.Draft202012Validator({**document, "$ref": f"#/$defs/{part}"})


@pytest.mark.req("STR-15")
@pytest.mark.parametrize("version", SUPPORTED_VERSIONS)
@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: frame["type"])
def test_every_frame_fits_the_schema_of_its_version(frame: dict[str, Any], version: int) -> None:
    # From JSON, as off the wire: strict models take an enum's value only there.
    sent = json.loads(dump_frame(frame_adapter.validate_json(json.dumps(frame)), version))
    validator(version, "frame").validate(sent)
    with pytest.raises(jsonschema.ValidationError):
        validator(version, "frame").validate({**sent, "surprise": 1})


@pytest.mark.req("STR-15", "STR-1")
def test_a_rating_belongs_to_version_two_alone() -> None:
    validator(2, "frame").validate(FINAL)
    with pytest.raises(jsonschema.ValidationError):
        validator(1, "frame").validate(FINAL)
    without = copy.deepcopy(FINAL)
    del without["cards"][0]["rating"]
    validator(1, "frame").validate(without)


@pytest.mark.req("STR-15", "STR-1")
@pytest.mark.parametrize("field", ["price", "in_stock"])
def test_a_price_may_be_absent_since_version_three(field: str) -> None:
    without = copy.deepcopy(FINAL)
    del without["cards"][0][field]
    validator(3, "frame").validate(without)
    with pytest.raises(jsonschema.ValidationError):
        validator(2, "frame").validate(without)


@pytest.mark.req("STR-15")
def test_commands_fit_their_schema() -> None:
    check = validator(2, "command")
    check.validate({"action": "message", "message_id": "m", "text": "hi"})
    check.validate({"action": "ping"})
    with pytest.raises(jsonschema.ValidationError):
        check.validate({"action": "message", "text": "hi"})


def test_the_published_schemas_are_fresh() -> None:
    for path, text in protocol_schemas():
        assert path.read_text() == text, "run: make docs"
