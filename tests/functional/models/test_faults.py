"""The fault injector around the model runtime: what an SDK makes of each kind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.eventstream import ParserError
from botocore.exceptions import ClientError, ReadTimeoutError
from urllib3.exceptions import ProtocolError

from tests.functional.models.conftest import LEAKS_OF_THE_SDK, STRONG, TITAN, Runtime, ask

pytestmark = pytest.mark.filterwarnings(LEAKS_OF_THE_SDK)

QUESTION = "Recommend horror manga like Junji Ito"


def inject(runtime: Runtime, service: str, **fault: object) -> None:
    runtime.control.put(f"/_twin/faults/{service}", json=fault).raise_for_status()


@pytest.mark.parametrize(
    ("kind", "status", "code"),
    [("throttle", 429, "ThrottlingException"), ("error", 500, "InternalServerException")],
)
def test_bedrock_failures_have_bedrocks_shape(
    runtime: Runtime, bedrock: Any, kind: str, status: int, code: str
) -> None:
    inject(runtime, "bedrock-runtime", kind=kind)
    for call in (
        lambda: bedrock.converse_stream(modelId=STRONG, messages=ask(QUESTION)),
        lambda: bedrock.invoke_model(modelId=TITAN, body=json.dumps({"inputText": "x"})),
    ):
        with pytest.raises(ClientError) as failed:
            call()
        assert failed.value.response["Error"]["Code"] == code
        assert failed.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.mark.parametrize(
    ("kind", "code"), [("throttle", "ThrottlingException"), ("error", "InternalFailure")]
)
def test_sagemaker_failures_have_sagemakers_shape(
    runtime: Runtime, sagemaker: Any, kind: str, code: str
) -> None:
    inject(runtime, "sagemaker-runtime", kind=kind)
    with pytest.raises(ClientError) as failed:
        sagemaker.invoke_endpoint(EndpointName="mangaassist-local-intent", Body=b'{"inputs": "x"}')
    assert failed.value.response["Error"]["Code"] == code
    assert failed.value.response["Error"]["Message"]


def test_a_fault_of_one_service_spares_the_other(runtime: Runtime, bedrock: Any, sagemaker: Any) -> None:
    inject(runtime, "bedrock-runtime", kind="error")
    sagemaker.invoke_endpoint(EndpointName="mangaassist-local-intent", Body=b'{"inputs": "x"}')
    runtime.control.delete("/_twin/faults")
    bedrock.converse(modelId=STRONG, messages=ask(QUESTION))


def test_truncate_cuts_a_stream_midway(runtime: Runtime, bedrock: Any) -> None:
    inject(runtime, "bedrock-runtime", kind="truncate")
    stream = bedrock.converse_stream(modelId=STRONG, messages=ask(QUESTION))["stream"]
    events: list[Any] = []
    with pytest.raises(ProtocolError):
        events.extend(stream)
    assert "messageStart" in events[0]
    assert not any("messageStop" in event for event in events)
    assert runtime.streams()[0]["state"] == "failed"


def test_garbage_is_no_event_stream(runtime: Runtime, bedrock: Any) -> None:
    inject(runtime, "bedrock-runtime", kind="garbage")
    with pytest.raises(ParserError):
        list(bedrock.converse_stream(modelId=STRONG, messages=ask(QUESTION))["stream"])


def test_delay_outlasts_a_short_patience(runtime: Runtime) -> None:
    inject(runtime, "bedrock-runtime", kind="delay", delay_ms=60_000)
    client = runtime.client("bedrock-runtime", read_timeout=0.1)
    with pytest.raises(ReadTimeoutError):
        client.converse(modelId=STRONG, messages=ask(QUESTION))
    client.close()
