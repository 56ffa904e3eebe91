"""What holds data keeps its logical id and its create-only properties from one release to the next."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from tests.infrastructure.synthesized import Synthesized
from tools.delivery import stateful


@pytest.mark.req("IAC-6")
def test_nothing_that_holds_data_would_be_replaced(application: Synthesized) -> None:
    environment = application.settings.name
    if environment not in stateful.ENVIRONMENTS:
        assert environment == "local"
        return
    told = list(stateful.differences(stateful.read()[environment], stateful.of(application.templates)))
    assert told == [], (
        "read the difference; if it is wanted: make synth, python -m tools.delivery.stateful --accept"
    )


@pytest.fixture
def templates(prod: Synthesized) -> dict[str, Any]:
    return copy.deepcopy(dict(prod.templates))


def differences(prod: Synthesized, changed: dict[str, Any]) -> list[str]:
    return list(stateful.differences(stateful.of(prod.templates), stateful.of(changed)))


def only(templates: dict[str, Any], stack: str, type: str) -> tuple[str, dict[str, Any]]:
    return next((id, body) for id, body in templates[stack]["Resources"].items() if body["Type"] == type)


def test_another_logical_id_is_a_lost_and_a_new_table(prod: Synthesized, templates: dict[str, Any]) -> None:
    resources = templates["Sessions"]["Resources"]
    logical_id, _ = only(templates, "Sessions", "AWS::DynamoDB::GlobalTable")
    resources["Renamed"] = resources.pop(logical_id)
    gone, new = sorted(differences(prod, templates), key=lambda line: "is new" in line)
    assert (f"{logical_id} (" in gone, "is gone" in gone, "Renamed (" in new) == (True, True, True)


@pytest.mark.parametrize(
    ("stack", "type", "change", "named"),
    [
        ("Sessions", "AWS::DynamoDB::GlobalTable", {"KeySchema": []}, "KeySchema"),
        ("Search", "AWS::OpenSearchServerless::Collection", {"Tags": [{"Key": "a", "Value": "b"}]}, "Tags"),
        ("Search", "AWS::OpenSearchServerless::Collection", {"Type": "SEARCH"}, "Type"),
        ("Ingest", "AWS::S3::Bucket", {"BucketName": "another"}, "BucketName"),
    ],
)
def test_a_changed_create_only_property_is_a_replacement(
    prod: Synthesized, templates: dict[str, Any], stack: str, type: str, change: dict[str, Any], named: str
) -> None:
    logical_id, body = only(templates, stack, type)
    body["Properties"] |= change
    assert differences(prod, templates) == [f"{stack}: {logical_id} would be replaced: {named} changed"]


def test_a_property_that_may_change_is_no_finding(prod: Synthesized, templates: dict[str, Any]) -> None:
    _, body = only(templates, "Sessions", "AWS::DynamoDB::GlobalTable")
    body["Properties"]["TimeToLiveSpecification"] = {"AttributeName": "x", "Enabled": True}
    assert differences(prod, templates) == []
