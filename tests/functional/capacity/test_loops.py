"""Both capacity loops over their real adapters: boto3, moto's DynamoDB and the twin's control planes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import boto3
import pytest
from moto import mock_aws

from mangaassist.adapters.bedrock_throughput import BedrockThroughput, CloudWatchTokens
from mangaassist.adapters.capacity_kinds import EndpointVariant, ProvisionedConcurrency, SearchCollectionGroup
from mangaassist.adapters.dynamodb_capacity import DynamoDBCapacity, DynamoDBProvisionedModels
from mangaassist.capacity.calendar import sale_calendar
from mangaassist.capacity.offers import offers, traffic
from mangaassist.capacity.prewarm import FAILED_METRIC, READY_METRIC, Prewarming
from mangaassist.capacity.resources import Resource
from mangaassist.capacity.throughput import ThroughputPlan, ThroughputSchedule
from mangaassist.errors import DependencyError, DependencyThrottled
from tests.functional.capacity.conftest import Plane
from tests.unit.capacity.fakes import Counted, FakeMeter, at

LEAD, AFTER = at("11-26 14:45"), at("11-29 15:00")
NOVA = "amazon.nova-lite-v1:0"
TICK = timedelta(minutes=5)


class Lambda:
    """Lambda as Application Auto Scaling drives it: ready with what the plane told it."""

    def __init__(self, plane: Plane) -> None:
        self._plane = plane
        self.exceptions = None

    def get_provisioned_concurrency_config(self, FunctionName: str, Qualifier: str) -> dict[str, Any]:
        return {
            "AvailableProvisionedConcurrentExecutions": self._plane.concurrency.get(
                f"{FunctionName}:{Qualifier}", 0
            ),
            "Status": "READY",
        }


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Iterator[DynamoDBCapacity]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("dynamodb", region_name="us-east-1")
        client.create_table(
            TableName="capacity",
            KeySchema=[
                {"AttributeName": "pk", "KeyType": "HASH"},
                {"AttributeName": "sk", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield DynamoDBCapacity(client, "capacity")


def resource(name: str, base: int, ceiling: int, per_unit: float, steps: tuple[int, ...] = ()) -> Resource:
    return Resource(
        name=name,
        kind=name,
        address={},
        base=base,
        ceiling=ceiling,
        concurrency_per_unit=per_unit,
        steps=steps,
    )


def prewarming(plane: Plane, store: DynamoDBCapacity, counted: Counted) -> Prewarming:
    scaling = plane.client("application-autoscaling")
    return Prewarming(
        calendar=sale_calendar(),
        resources=[
            (
                resource("message", 5, 500, 1),
                ProvisionedConcurrency.at({"function": "message", "alias": "live"}, scaling, Lambda(plane)),
            ),
            (
                resource("search", 2, 16, 20, (0, 2, 4, 8, 16)),
                SearchCollectionGroup.at({"group": "mangaassist-test"}, plane.client("opensearchserverless")),
            ),
            (
                resource("intent", 2, 8, 100),
                EndpointVariant.at(
                    {"endpoint": "mangaassist-test-intent", "variant": "AllTraffic"},
                    scaling,
                    plane.client("sagemaker"),
                ),
            ),
        ],
        store=store,
        count=counted,
        business_hours=False,
    )


@pytest.mark.req("CAP-1")
def test_every_kind_is_raised_verified_and_brought_back(plane: Plane, store: DynamoDBCapacity) -> None:
    counted = Counted()
    loop = prewarming(plane, store, counted)
    up = loop.reconcile(LEAD)
    assert {name: step.seen for name, step in up.steps.items()} == {"message": 480, "search": 16, "intent": 5}
    assert up.is_ready
    assert counted.of(READY_METRIC) == [1]
    record = store.window("black-friday-2026")
    assert record is not None
    assert record.state == "ready"
    down = loop.reconcile(AFTER)
    assert {name: step.seen for name, step in down.steps.items()} == {"message": 5, "search": 2, "intent": 2}
    record = store.window("black-friday-2026")
    assert record is not None
    assert record.state == "over"


@pytest.mark.req("CAP-1")
def test_one_broken_control_plane_leaves_the_others_raised_and_a_clear_record(
    plane: Plane, store: DynamoDBCapacity
) -> None:
    counted = Counted()
    loop = prewarming(plane, store, counted)
    plane.fault("opensearchserverless", kind="throttle")
    loop.reconcile(LEAD)
    assert plane.concurrency == {"message:live": 480}
    assert counted.of(FAILED_METRIC) == [1]
    record = store.window("black-friday-2026")
    assert record is not None
    assert (record.state, record.failed) == ("incomplete", ("search",))
    assert record.steps["search"].error == "ThrottlingException"
    plane.mend()
    assert loop.reconcile(LEAD + TICK).is_ready


def test_the_search_ceiling_and_the_indexing_limits_are_left_as_they_are(plane: Plane) -> None:
    client = plane.client("opensearchserverless")
    before = {
        "minIndexingCapacityInOCU": 2.0,
        "maxIndexingCapacityInOCU": 4.0,
        "minSearchCapacityInOCU": 2.0,
        "maxSearchCapacityInOCU": 16.0,
    }
    client.update_collection_group(id="group-mangaassist-test", capacityLimits=before)
    group = SearchCollectionGroup.at({"group": "mangaassist-test"}, client)
    group.set_minimum(8, 16)
    (detail,) = client.batch_get_collection_group(names=["mangaassist-test"])["collectionGroupDetails"]
    assert detail["capacityLimits"] == {**before, "minSearchCapacityInOCU": 8.0}


def schedule(plane: Plane, store: DynamoDBCapacity, counted: Counted) -> ThroughputSchedule:
    return ThroughputSchedule(
        calendar=sale_calendar(),
        plans=(ThroughputPlan(model_id=NOVA, commitment="none"),),
        offers=offers(),
        traffic=traffic(),
        market=BedrockThroughput(plane.client("bedrock")),
        store=store,
        meter=FakeMeter(),
        count=counted,
        prefix="mangaassist-test",
        tags={"environment": "test"},
    )


@pytest.mark.req("CAP-2", "GEN-9")
async def test_bought_published_used_withdrawn_and_given_back(plane: Plane, store: DynamoDBCapacity) -> None:
    loop = schedule(plane, store, Counted())
    start = at("11-24 15:00")  # 48 hours before Black Friday in Japan
    readers = [DynamoDBProvisionedModels(store._client, "capacity") for _ in range(3)]
    assert await readers[0].active() == {}
    loop.reconcile(start)
    done = loop.reconcile(start + TICK)
    arn = done.published[NOVA]
    assert await readers[1].active() == {NOVA: arn}
    end = at("11-30 15:00")  # 24 hours after it
    loop.reconcile(end)
    assert await readers[2].active() == {}
    loop.reconcile(end + TICK)
    assert plane.client("bedrock").list_provisioned_model_throughputs()["provisionedModelSummaries"] == []
    record = store.throughput(NOVA)
    assert record is not None
    assert record.state == "gone"


@pytest.mark.req("CAP-2")
def test_a_crash_after_the_purchase_is_reconciled_by_name(
    plane: Plane, store: DynamoDBCapacity, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    save = store.save_throughput

    def die(record: Any) -> None:
        if record.state == "creating":
            raise Killed
        save(record)

    loop = schedule(plane, store, Counted())
    start = at("11-24 15:00")
    monkeypatch.setattr(store, "save_throughput", die)
    with pytest.raises(Killed):
        loop.reconcile(start)
    monkeypatch.setattr(store, "save_throughput", save)
    (bought,) = plane.client("bedrock").list_provisioned_model_throughputs()["provisionedModelSummaries"]
    loop.reconcile(start + TICK)
    loop.reconcile(start + 2 * TICK)
    record = store.throughput(NOVA)
    assert record is not None
    assert (record.state, record.arn) == ("active", bought["provisionedModelArn"])
    assert len(plane.client("bedrock").list_provisioned_model_throughputs()["provisionedModelSummaries"]) == 1


def test_failures_speak_the_products_language(plane: Plane) -> None:
    market = BedrockThroughput(plane.client("bedrock"))
    assert market.get("arn:aws:bedrock:us-east-1:000000000000:provisioned-model/none") is None
    market.delete("arn:aws:bedrock:us-east-1:000000000000:provisioned-model/none")
    plane.fault("bedrock", kind="throttle")
    with pytest.raises(DependencyThrottled):
        market.named("mangaassist")
    plane.mend()
    with pytest.raises(DependencyError, match="ValidationException"):
        market.create(
            name="n", model_id="anthropic.claude-sonnet-5-5", units=1, commitment=None, token="t", tags={}
        )


def test_use_is_the_sum_of_both_directions(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    with mock_aws():
        client = boto3.client("cloudwatch", region_name="us-east-1")
        now = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
        dimension = [{"Name": "ModelId", "Value": "arn:bought"}]
        for name, value in (("InputTokenCount", 900.0), ("OutputTokenCount", 100.0)):
            client.put_metric_data(
                Namespace="AWS/Bedrock",
                MetricData=[
                    {
                        "MetricName": name,
                        "Dimensions": dimension,
                        "Value": value,
                        "Timestamp": now - timedelta(hours=1),
                    }
                ],
            )
        meter = CloudWatchTokens(client, clock=lambda: now)
        assert meter.tokens("arn:bought", hours=24) == 1_000
        assert meter.tokens("arn:other", hours=24) is None
