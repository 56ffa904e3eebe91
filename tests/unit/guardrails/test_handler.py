"""The guardrail function: a JSON event in, a judged answer out."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace
from typing import Any

import pytest

from lambdas.guardrail.handler import InvalidJudgeRequest, handler
from mangaassist.errors import DependencyTimeout
from mangaassist.guardrails import wiring

CONTEXT: Any = SimpleNamespace(
    aws_request_id="lambda-request",
    function_name="guardrail",
    memory_limit_in_mb=1024,
    invoked_function_arn="arn:aws:lambda:us-east-1:000000000000:function:guardrail:live",
)


class Directory:
    def __init__(self, *known: str, error: Exception | None = None) -> None:
        self.asked: list[list[str]] = []
        self._known, self._error = set(known), error

    def known(self, asins):
        self.asked.append(list(asins))
        if self._error:
            raise self._error
        return self._known & set(asins)


@pytest.fixture(autouse=True)
def _powertools(monkeypatch):
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", "MangaAssist")
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "guardrail")


@pytest.fixture
def directory(monkeypatch):
    fake = Directory("B0KNOWN001")
    monkeypatch.setattr(wiring, "directory", lambda: fake)
    return fake


def event(text: str, **changes: Any) -> dict[str, Any]:
    return {"text": text, "language": "en", "allowed_asins": ["B0ALLOWED1"], "request_id": "r1"} | changes


@pytest.mark.req("GRD-4", "GRD-8")
def test_an_answer_is_judged(directory):
    answer = handler(event("Mail a@example.com: B0ALLOWED1, B0KNOWN001 and B0WRONG001 at $9.99."), CONTEXT)
    assert answer["text"] == (
        "Mail [EMAIL]: B0ALLOWED1, B0KNOWN001 and this title. Check the product page for current pricing."
    )
    assert [(each["stage"], each["action"]) for each in answer["interventions"]] == [
        ("pii", "redacted"),
        ("price_accuracy", "removed"),
        ("asin", "removed"),
    ]
    assert answer["stages"] == {
        "pii": "redacted",
        "price_accuracy": "removed",
        "toxicity": "passed",
        "competitor": "passed",
        "asin": "removed",
        "scope": "passed",
    }
    assert directory.asked == [["B0KNOWN001", "B0WRONG001"]]
    json.dumps(answer)


@pytest.mark.req("GRD-9")
def test_interventions_are_logged_by_digest_and_never_by_text(directory, caplog, capsys):
    handler(event("Write to a@example.com today."), CONTEXT)
    [audit] = [vars(record) for record in caplog.records if record.getMessage() == "guardrail intervened"]
    assert (audit["stage"], audit["action"]) == ("pii", "redacted")
    assert audit["before_sha256"] == hashlib.sha256(b"Write to a@example.com today.").hexdigest()
    assert audit["after_sha256"] == hashlib.sha256(b"Write to [EMAIL] today.").hexdigest()
    assert not any("example.com" in str(value) for value in audit.values())
    output = capsys.readouterr().out
    assert "example.com" not in output
    [metric] = [json.loads(line) for line in output.splitlines() if "GuardrailIntervention" in line]
    assert (metric["stage"], metric["action"], metric["GuardrailIntervention"]) == ("pii", "redacted", [1.0])


@pytest.mark.req("GRD-7")
def test_a_directory_that_fails_degrades_the_stage_and_not_the_answer(monkeypatch):
    failing = Directory(error=DependencyTimeout("catalogue", "ReadTimeoutError"))
    monkeypatch.setattr(wiring, "directory", lambda: failing)
    answer = handler(event("Read B0KNOWN001 or B0ALLOWED1."), CONTEXT)
    assert answer["text"] == "Read this title or B0ALLOWED1."
    assert answer["stages"]["asin"] == "unavailable"


def test_nothing_is_asked_when_nothing_is_in_doubt(directory):
    handler(event("Read B0ALLOWED1."), CONTEXT)
    assert directory.asked == []


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"text": None}, "text"),
        ({"text": "x" * 20_001}, "text"),
        ({"language": "fr"}, "language"),
        ({"allowed_asins": ["short"]}, "allowed_asins.0"),
        ({"allowed_asins": "B0ALLOWED1"}, "allowed_asins"),
        ({"surprise": 1}, "surprise"),
    ],
)
def test_a_wrong_event_is_refused_by_name_without_its_content(directory, broken, field):
    with pytest.raises(InvalidJudgeRequest) as caught:
        handler(event("secret words") | broken, CONTEXT)
    assert f"{field}:" in str(caught.value)
    assert "secret words" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_an_event_that_is_no_object_is_refused(directory):
    with pytest.raises(InvalidJudgeRequest, match="send"):
        handler([], CONTEXT)  # pyright: ignore[reportArgumentType]


def test_patience_ends(monkeypatch):
    pauses: list[float] = []
    monkeypatch.setattr(wiring.time, "sleep", pauses.append)
    patience = wiring.Patience(0.3)
    patience(0.1)
    patience(0.15)
    with pytest.raises(DependencyTimeout):
        patience(0.1)
    assert pauses == [0.1, 0.15]


def test_the_directory_reads_the_table_that_is_configured(monkeypatch):
    monkeypatch.setenv("CATALOGUE_TABLE", "catalogue-test")
    tables: list[str] = []
    monkeypatch.setattr(wiring, "_products", lambda table: tables.append(table) or Directory("B0KNOWN001"))
    assert wiring.CatalogueDirectory().known(["B0KNOWN001"]) == {"B0KNOWN001"}
    assert tables == ["catalogue-test"]
