"""The first calls of an endpoint: how many, of what shape, and what is said when they fail."""

from __future__ import annotations

import io
import itertools
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdas.model_warmup import handler as module
from mangaassist.adapters import clients
from mangaassist.errors import DependencyError
from mangaassist.warmup import wiring
from mangaassist.warmup.calls import CALLS_PER_INSTANCE, MOST_CALLS, intent_requests, rerank_requests, warm_up
from services.models.contract import read_intents, read_rerank


class FakeSageMaker:
    """Control plane and runtime in one; ``failing`` calls of a sequence end in an error."""

    def __init__(self, instances: int | None, failing: int = 0) -> None:
        self.instances, self.failing = instances, failing
        self.calls: list[dict[str, Any]] = []

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:
        if self.instances is None:
            raise ClientError({"Error": {"Code": "ValidationException"}}, "DescribeEndpoint")
        return {"ProductionVariants": [{"CurrentInstanceCount": self.instances}]}

    def invoke_endpoint(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        if len(self.calls) <= self.failing:
            raise ClientError({"Error": {"Code": "ModelError"}}, "InvokeEndpoint")
        return {"Body": io.BytesIO(b"[]")}


@pytest.fixture
def sagemaker(monkeypatch: pytest.MonkeyPatch) -> FakeSageMaker:
    fake = FakeSageMaker(2)
    monkeypatch.setattr(clients, "client", lambda service, **options: fake)
    monkeypatch.setenv("INTENT_ENDPOINT", "shop-intent")
    monkeypatch.setenv("RERANK_ENDPOINT", "shop-reranker")
    return fake


def event(endpoint: str) -> dict[str, Any]:
    return {"detail": {"EndpointName": endpoint, "EndpointStatus": "IN_SERVICE"}}


@pytest.mark.req("CAP-3")
@pytest.mark.parametrize("endpoint", ["shop-intent", "shop-reranker"])
def test_every_instance_is_likely_to_get_some(sagemaker: FakeSageMaker, endpoint: str) -> None:
    module.handler(event(endpoint), None)
    assert len(sagemaker.calls) == 2 * CALLS_PER_INSTANCE
    assert {call["EndpointName"] for call in sagemaker.calls} == {endpoint}
    assert len({call["Body"] for call in sagemaker.calls}) > 1


def test_the_calls_are_ones_the_models_take() -> None:
    assert all(read_intents(body).texts for body in intent_requests())
    assert {len(read_rerank(body).texts) for body in rerank_requests()} == {10}
    assert any("ホラー" in json.loads(body)["inputs"] for body in intent_requests())


def test_other_endpoints_and_empty_ones_are_left_alone(sagemaker: FakeSageMaker) -> None:
    module.handler(event("somebody-elses"), None)
    sagemaker.instances = 0
    module.handler(event("shop-intent"), None)
    assert sagemaker.calls == []


def test_some_failures_are_counted_and_only_nothing_but_failures_is_an_error(
    sagemaker: FakeSageMaker,
) -> None:
    sagemaker.failing = 3
    assert (seen := wiring.warm("shop-intent")) is not None
    assert (seen.calls, seen.failed) == (16, 3)
    sagemaker.failing = 1_000
    with pytest.raises(DependencyError, match="no warm-up call was answered"):
        module.handler(event("shop-intent"), None)


def test_an_endpoint_that_cannot_be_described_is_tried_again_by_the_event(sagemaker: FakeSageMaker) -> None:
    sagemaker.instances = None
    with pytest.raises(DependencyError, match="ValidationException"):
        module.handler(event("shop-intent"), None)


def test_a_large_fleet_gets_a_bounded_number_of_calls() -> None:
    clock = itertools.count()
    seen = warm_up(lambda body: None, [b"{}"], instances=500, clock=lambda: float(next(clock)))
    assert seen.calls == MOST_CALLS
    assert seen.failed == 0
    assert seen.slowest_ms >= 1_000
