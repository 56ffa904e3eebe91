"""The stand-ins refuse what AWS refuses, fail on demand, and remember over a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.functional.capacity.conftest import Plane, serving

TARGET = {
    "ServiceNamespace": "lambda",
    "ResourceId": "function:message:live",
    "ScalableDimension": "lambda:function:ProvisionedConcurrency",
}
PURCHASE = {
    "clientRequestToken": "once",
    "provisionedModelName": "mangaassist-test-1",
    "modelId": "amazon.nova-lite-v1:0:24k",
    "modelUnits": 1,
}


def test_bounds_are_kept_and_applied(plane: Plane) -> None:
    scaling = plane.client("application-autoscaling")
    scaling.register_scalable_target(**TARGET, MinCapacity=5, MaxCapacity=50)
    scaling.register_scalable_target(**TARGET, MinCapacity=12)
    (target,) = scaling.describe_scalable_targets(ServiceNamespace="lambda")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (12, 50)
    assert plane.concurrency == {"message:live": 12}
    assert scaling.describe_scalable_targets(ServiceNamespace="ecs")["ScalableTargets"] == []


@pytest.mark.parametrize("bounds", [{"MinCapacity": 5}, {"MinCapacity": 5, "MaxCapacity": 4}])
def test_a_new_target_needs_both_bounds_in_order(plane: Plane, bounds: dict[str, int]) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        plane.client("application-autoscaling").register_scalable_target(**TARGET, **bounds)


def test_a_limit_left_out_goes_back_to_its_default(plane: Plane) -> None:
    search = plane.client("opensearchserverless")
    (group,) = search.batch_get_collection_group(names=["mangaassist-test"])["collectionGroupDetails"]
    search.update_collection_group(
        id=group["id"], capacityLimits={"maxSearchCapacityInOCU": 16, "minIndexingCapacityInOCU": 2}
    )
    search.update_collection_group(id=group["id"], capacityLimits={"maxSearchCapacityInOCU": 16})
    (group,) = search.batch_get_collection_group(ids=[group["id"]])["collectionGroupDetails"]
    assert group["capacityLimits"]["minIndexingCapacityInOCU"] == 0
    for odd in (3, 17):
        with pytest.raises(ClientError, match="ValidationException"):
            search.update_collection_group(id=group["id"], capacityLimits={"minSearchCapacityInOCU": odd})
    assert search.batch_get_collection_group(names=["other"])["collectionGroupErrorDetails"]


def test_endpoints_count_their_instances(plane: Plane) -> None:
    endpoints = plane.client("sagemaker")
    endpoints.update_endpoint_weights_and_capacities(
        EndpointName="mangaassist-test-intent",
        DesiredWeightsAndCapacities=[{"VariantName": "AllTraffic", "DesiredInstanceCount": 3}],
    )
    (variant,) = endpoints.describe_endpoint(EndpointName="mangaassist-test-intent")["ProductionVariants"]
    assert variant["CurrentInstanceCount"] == 3
    with pytest.raises(ClientError, match="Could not find endpoint"):
        endpoints.describe_endpoint(EndpointName="mangaassist-test-else")


def test_throughput_is_bought_once_per_token_and_takes_a_while(plane: Plane) -> None:
    bedrock = plane.client("bedrock")
    arn = bedrock.create_provisioned_model_throughput(**PURCHASE)["provisionedModelArn"]
    assert bedrock.create_provisioned_model_throughput(**PURCHASE)["provisionedModelArn"] == arn
    states = [bedrock.get_provisioned_model_throughput(provisionedModelId=arn)["status"] for _ in range(2)]
    assert states == ["Creating", "InService"]
    (found,) = bedrock.list_provisioned_model_throughputs(nameContains="mangaassist-test")[
        "provisionedModelSummaries"
    ]
    assert found["provisionedModelArn"] == arn
    bedrock.delete_provisioned_model_throughput(provisionedModelId=arn)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        bedrock.get_provisioned_model_throughput(provisionedModelId=arn)


@pytest.mark.parametrize(
    "changed",
    [
        {"modelId": "anthropic.claude-sonnet-5-5"},
        {"provisionedModelName": "two words"},
        {"clientRequestToken": "another"},
    ],
    ids=["not-sold", "no-name", "name-taken"],
)
def test_a_purchase_that_aws_would_refuse(plane: Plane, changed: dict[str, object]) -> None:
    bedrock = plane.client("bedrock")
    bedrock.create_provisioned_model_throughput(**PURCHASE)
    with pytest.raises(ClientError, match="ValidationException"):
        bedrock.create_provisioned_model_throughput(
            **{**PURCHASE, "clientRequestToken": "new", "provisionedModelName": "free-name", **changed}
            if "clientRequestToken" not in changed
            else {**PURCHASE, **changed}
        )


def test_a_commitment_cannot_be_deleted(plane: Plane) -> None:
    bedrock = plane.client("bedrock")
    arn = bedrock.create_provisioned_model_throughput(**PURCHASE, commitmentDuration="OneMonth")[
        "provisionedModelArn"
    ]
    with pytest.raises(ClientError, match="ConflictException"):
        bedrock.delete_provisioned_model_throughput(provisionedModelId=arn)


@pytest.mark.parametrize(
    ("service", "call"),
    [
        ("bedrock", lambda client: client.list_provisioned_model_throughputs()),
        ("sagemaker", lambda client: client.describe_endpoint(EndpointName="mangaassist-test-intent")),
        (
            "opensearchserverless",
            lambda client: client.batch_get_collection_group(names=["mangaassist-test"]),
        ),
        (
            "application-autoscaling",
            lambda client: client.describe_scalable_targets(ServiceNamespace="lambda"),
        ),
    ],
)
def test_each_control_plane_breaks_alone(plane: Plane, service: str, call: object) -> None:
    assert callable(call)
    call(plane.client(service))
    plane.fault(service, kind="throttle")
    with pytest.raises(ClientError, match="ThrottlingException"):
        call(plane.client(service))
    others = {"bedrock", "sagemaker"} - {service}
    for other in others:
        if other == "bedrock":
            plane.client("bedrock").list_provisioned_model_throughputs()
    plane.mend()
    call(plane.client(service))


def test_what_they_were_told_outlives_the_process(tmp_path: Path) -> None:
    with serving(tmp_path) as first:
        first.client("bedrock").create_provisioned_model_throughput(**PURCHASE)
    with serving(tmp_path) as second:
        assert second.client("bedrock").list_provisioned_model_throughputs()["provisionedModelSummaries"]


def test_an_operation_they_do_not_know_is_refused(plane: Plane) -> None:
    with pytest.raises(ClientError, match="UnknownOperationException"):
        plane.client("sagemaker").list_endpoints()
