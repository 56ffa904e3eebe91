"""The ``message`` function: what it hands on, what it answers the gateway, what it tells the operators."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from lambdas.message import handler as message
from mangaassist import wiring
from mangaassist.chat.events import TurnCompleted
from mangaassist.chat.service import Observed
from mangaassist.errors import DependencyError
from mangaassist.protocol import ResponseMetadata, Usage
from tests.unit.handlers.conftest import Emitted

QUESTION = '{"action":"message","text":"my e-mail is taro@example.com"}'
ANSWER = "Uzumaki is by Junji Ito."


class Service:
    """Remembers what it was handed and reports what the test wants to have happened."""

    def __init__(self) -> None:
        self.handed: list[tuple[Any, dict[str, Any]]] = []
        self.seen = Observed("pong", "r-1")

    async def handle(self, body: Any, **facts: Any) -> Observed:
        self.handed.append((body, facts))
        return self.seen


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    monkeypatch.setattr(wiring, "chat_service", lambda: made)
    monkeypatch.setattr(wiring, "channel", lambda connection_id: f"channel of {connection_id}")
    return made


def frame(body: str | None, **event: Any) -> dict[str, Any]:
    request = {"connectionId": "c-1", "requestId": "q-1", "authorizer": {"subject": "guest-1"}}
    return {"requestContext": request, "body": body, **event}


def completed(**metadata: Any) -> TurnCompleted:
    facts: dict[str, Any] = {
        "request_id": "q-1",
        "intent": "product_question",
        "intent_source": "rules",
        "intent_confidence": 1.0,
        "language": "en",
        "model_tier": "strong",
        "model_id": "model-1",
        "guardrail_action": "none",
        "retrieval_mode": "vector",
        "usage": Usage(input_tokens=900, output_tokens=40),
        "timings_ms": {"first_token": 300, "total": 1_200},
    }
    return TurnCompleted(
        answer=ANSWER,
        intent="product_question",
        cards=(),
        buttons=(),
        citations=(),
        metadata=ResponseMetadata(**(facts | metadata)),
    )


def test_the_frame_is_handed_on_with_the_identity_of_its_connection(service: Service, context: Any) -> None:
    assert message.handler(frame(QUESTION), context) == {"statusCode": 200}
    assert service.handed == [
        (
            QUESTION,
            {
                "connection_id": "c-1",
                "subject": "guest-1",
                "request_id": "q-1",
                "channel": "channel of c-1",
            },
        )
    ]


def test_a_subject_in_the_frame_counts_for_nothing(service: Service, context: Any) -> None:
    message.handler(frame('{"action":"message","text":"hi","subject":"guest-2"}'), context)
    assert service.handed[0][1]["subject"] == "guest-1"


@pytest.mark.parametrize(
    ("body", "event", "handed"),
    [
        (None, {}, None),
        ("", {}, ""),
        ("not JSON", {}, "not JSON"),
        (base64.b64encode(b"\xff\x00").decode(), {"isBase64Encoded": True}, b"\xff\x00"),
        ("not base64!", {"isBase64Encoded": True}, "not base64!"),
        ("うずまき", {"isBase64Encoded": True}, "うずまき"),
    ],
)
def test_whatever_a_client_sends_reaches_the_service(
    service: Service, context: Any, body: str | None, event: dict[str, Any], handed: object
) -> None:
    message.handler(frame(body, **event), context)
    assert service.handed[0][0] == handed


def test_an_answer_is_measured_and_its_text_is_not_logged(
    service: Service, context: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    service.seen = Observed("final", "r-1", frames=12, completed=completed())
    message.handler(frame(QUESTION), context)
    printed = capsys.readouterr().out
    assert "taro" not in printed
    assert ANSWER not in printed
    records = [json.loads(line) for line in printed.splitlines()]
    (invocation,) = [record for record in records if "BedrockInvocation" in record]
    assert (invocation["model_id"], invocation["task_type"]) == ("model-1", "answer_synthesis")
    assert (invocation["InputTokens"], invocation["OutputTokens"]) == ([900], [40])
    (duration,) = [record for record in records if "TurnDurationMs" in record]
    assert (duration["TurnDurationMs"], duration["intent"]) == ([1_200], "product_question")


@pytest.mark.parametrize(
    ("action", "counted"),
    [("none", False), ("redacted", False), ("unavailable", False), ("corrected", True), ("blocked", True)],
)
def test_an_answer_that_was_changed_is_counted(
    service: Service, context: Any, emitted: Emitted, action: str, counted: bool
) -> None:
    service.seen = Observed("final", "r-1", completed=completed(guardrail_action=action))
    message.handler(frame(QUESTION), context)
    assert emitted()["AnswerCorrected"]["AnswerCorrected"] == [int(counted)]


def test_an_answer_from_a_template_is_no_invocation(service: Service, context: Any, emitted: Emitted) -> None:
    service.seen = Observed("final", "r-1", completed=completed(model_id=None, model_tier=None))
    message.handler(frame(QUESTION), context)
    assert "BedrockInvocation" not in emitted()


def test_a_client_that_left_and_throttled_posts_are_counted(
    service: Service, context: Any, emitted: Emitted
) -> None:
    service.seen = Observed("gone", "r-1", throttles=3, error=DependencyError("websocket", "GoneException"))
    assert message.handler(frame(QUESTION), context) == {"statusCode": 200}
    metrics = emitted()
    assert metrics["StreamDisconnectCount"]["disconnect_reason"] == "gone"
    assert metrics["ConnectionsThrottled"]["ConnectionsThrottled"] == [3]


@pytest.mark.parametrize(
    ("kind", "made"),
    [("provisioned-concurrency", ["grpc_catalogue", "personalize_runtime"]), ("on-demand", [])],
)
def test_an_environment_that_was_bought_warm_has_its_clients_before_a_shopper_comes(
    kind: str, made: list[str]
) -> None:
    """In a process of its own: a function's environment imports the handler once."""
    settings = {
        "AWS_LAMBDA_INITIALIZATION_TYPE": kind,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "ENVIRONMENT": "local",
        "SESSIONS_TABLE": "sessions",
        "POLICY_APPLICATION": "a",
        "POLICY_ENVIRONMENT": "e",
        "POLICY_PROFILE": "p",
        "SEARCH_ENDPOINT": "http://127.0.0.1:9",
        "MANAGEMENT_ENDPOINT": "http://127.0.0.1:9",
        "GUARDRAIL_FUNCTION": "guardrail",
        "CATALOGUE_TARGET": "127.0.0.1:9",
        "PERSONALIZE_USER_CAMPAIGN": "arn:aws:personalize:us-east-1:123456789012:campaign/ours-user",
        "PYTHONPATH": os.environ.get("PYTHONPATH", os.pathsep.join(sys.path)),
    }
    script = (
        "import sys; import lambdas.message.handler;"
        "print([name for name in ('grpc_catalogue', 'personalize_runtime') if 'mangaassist.adapters.' + name in sys.modules])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script], env=settings, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.strip() == str(made)
