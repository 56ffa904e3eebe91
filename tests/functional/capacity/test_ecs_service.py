"""Tasks of an ECS service as a kind of capacity: its bounds by the control plane, its tasks by what ECS reports."""

from __future__ import annotations

from typing import Any

import pytest

from mangaassist.adapters.capacity_kinds import CapacityMissing, EcsService
from mangaassist.capacity.resources import Resource
from mangaassist.errors import DependencyThrottled
from tests.functional.capacity.conftest import Plane

ADDRESS = {"cluster": "mangaassist-test", "service": "mangaassist-test-catalogue"}
CATALOGUE = Resource(
    name="catalogue", kind="ecs-service", address=ADDRESS, base=2, ceiling=12, concurrency_per_unit=100
)


class Ecs:
    """Answers ``DescribeServices`` as ECS does: missing services are failures, not an error."""

    def __init__(self, **service: Any) -> None:
        self._service = service
        self.asked: list[dict[str, Any]] = []

    def describe_services(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        if not self._service:
            return {"services": [], "failures": [{"arn": asked["services"][0], "reason": "MISSING"}]}
        return {"services": [self._service], "failures": []}


def service(plane: Plane, ecs: Ecs) -> EcsService:
    return EcsService.at(ADDRESS, plane.client("application-autoscaling"), ecs)


def deployed(running: int, *states: str, status: str = "ACTIVE") -> Ecs:
    deployments = [{"rolloutState": state} for state in states]
    return Ecs(status=status, runningCount=running, desiredCount=running, deployments=deployments)


@pytest.mark.req("CAP-1")
def test_a_sale_raises_the_minimum_of_the_service_and_leaves_its_ceiling(plane: Plane) -> None:
    catalogue = service(plane, deployed(2, "COMPLETED"))
    assert catalogue.minimum() is None, "nobody registered one yet"
    catalogue.set_minimum(CATALOGUE.units(500), CATALOGUE.ceiling)
    assert catalogue.minimum() == 6
    assert plane.tasks == {"mangaassist-test/mangaassist-test-catalogue": 6}, "as ECS was told"
    (target,) = plane.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="ecs")[
        "ScalableTargets"
    ]
    assert target["ResourceId"] == "service/mangaassist-test/mangaassist-test-catalogue"
    assert target["ScalableDimension"] == "ecs:service:DesiredCount"
    assert target["MaxCapacity"] == 12
    catalogue.set_minimum(CATALOGUE.base, CATALOGUE.ceiling)
    assert catalogue.minimum() == 2


@pytest.mark.req("CAP-1")
def test_running_tasks_count_and_not_those_that_were_asked_for(plane: Plane) -> None:
    ecs = deployed(6, "COMPLETED")
    seen = service(plane, ecs).verify()
    assert (seen.units, seen.is_settled, seen.detail) == (6, True, "")
    assert seen.covers(6)
    assert not seen.covers(7)
    assert ecs.asked == [{"cluster": "mangaassist-test", "services": ["mangaassist-test-catalogue"]}]


@pytest.mark.parametrize("states", [("IN_PROGRESS", "COMPLETED"), ("FAILED",)])
def test_tasks_that_a_deployment_may_take_away_are_not_settled(plane: Plane, states: tuple[str, ...]) -> None:
    seen = service(plane, deployed(8, *states)).verify()
    assert not seen.covers(6)
    assert seen.detail == ", ".join(states)


@pytest.mark.parametrize("ecs", [Ecs(), deployed(0, "COMPLETED", status="INACTIVE")], ids=["gone", "deleted"])
def test_a_service_that_is_not_there_is_said_to_be_missing(plane: Plane, ecs: Ecs) -> None:
    with pytest.raises(CapacityMissing, match="mangaassist-test-catalogue"):
        service(plane, ecs).verify()


def test_a_control_plane_that_throttles_is_an_error_of_ours(plane: Plane) -> None:
    plane.fault("application-autoscaling", kind="throttle")
    with pytest.raises(DependencyThrottled):
        service(plane, deployed(2, "COMPLETED")).set_minimum(4, 12)
