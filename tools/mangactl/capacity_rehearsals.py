"""Rehearsals of what capacity does around a sale, on the twin, with a moved clock.

Each tells its story step by step and fails at the first step that does not come true. The schedules stand still
meanwhile: a real tick would put the capacity of the real minute in force.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from mangaassist.adapters.dynamodb_capacity import DynamoDBCapacity
from mangaassist.capacity.calendar import SaleEvent, sale_calendar
from mangaassist.capacity.records import ThroughputRecord, WindowRecord
from tools.mangactl.failures import CommandFailure, Unavailable
from tools.twin.deployment import emulator_client
from tools.twin.supervisor import Twin

Say = Callable[[str], None]
TICK = timedelta(minutes=5)
SCHEDULE_FIELDS = (
    "Name",
    "GroupName",
    "Description",
    "FlexibleTimeWindow",
    "ScheduleExpression",
    "ScheduleExpressionTimezone",
    "Target",
)


class RehearsalFailed(CommandFailure):
    """A step did not come true."""

    code = "rehearsal_failed"


@dataclass
class Stage:
    """The twin with its capacity functions, and the steps that came true so far."""

    twin: Twin
    say: Say
    steps: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        """An SDK client on the twin."""
        return emulator_client(self.twin.layout, service)

    def output(self, concern: str, name: str) -> str:
        """A stack output; raises ``Unavailable`` where the stack is not deployed."""
        try:
            return self.twin.outputs()[concern][name]
        except KeyError:
            raise Unavailable(f"the stack {concern} is not deployed on the twin: run `make up`") from None

    @property
    def store(self) -> DynamoDBCapacity:
        """The functions' own records."""
        return DynamoDBCapacity(self.client("dynamodb"), self.output("CapacityState", "CapacityTableName"))

    def tick(self, function: str, moment: datetime, **event: str) -> dict[str, Any]:
        """Run one tick as if it were ``moment``."""
        answer = self.client("lambda").invoke(
            FunctionName=f"{self.output('Capacity', function)}:live",
            Payload=json.dumps({"now": moment.isoformat(), **event}),
        )
        document = json.loads(answer["Payload"].read())
        if "FunctionError" in answer:
            raise RehearsalFailed(f"the function failed: {document.get('errorMessage', document)}")
        return document

    def expect(self, is_true: object, what: str) -> None:
        """Tell a step, or end the rehearsal."""
        if not is_true:
            raise RehearsalFailed(f"not so: {what}")
        self.steps.append(what)
        self.say(f"ok: {what}")

    def alarm(self, metric: str) -> str:
        """State of the alarm on a metric of the product."""
        pages = self.client("cloudwatch").get_paginator("describe_alarms").paginate()
        (state,) = {
            alarm["StateValue"]
            for page in pages
            for alarm in page["MetricAlarms"]
            if alarm.get("MetricName") == metric
        }
        return state

    @contextmanager
    def without_ticks(self) -> Iterator[None]:
        """The schedules of the Capacity stack stand still."""
        client = self.client("scheduler")
        names = [
            each["Name"] for each in client.list_schedules()["Schedules"] if "-Capacity-" in each["Name"]
        ]
        if not names:
            raise Unavailable("the Capacity stack has no schedules on the twin: run `make up`")
        schedules = [client.get_schedule(Name=name) for name in names]
        kept = [
            ({key: found[key] for key in SCHEDULE_FIELDS if found.get(key)}, found["State"])
            for found in schedules
        ]
        for schedule, _ in kept:
            client.update_schedule(**schedule, State="DISABLED")
        try:
            yield
        finally:
            self.twin.clear_faults()
            for schedule, state in kept:
                client.update_schedule(**schedule, State=state)


# --- pre-warm -------------------------------------------------------------------------------------------


def rehearse_prewarm(stage: Stage) -> None:
    """Two sales of the calendar: one that all goes well with, and one with a control plane broken at T-15.

    Past or to come makes no difference, because the clock is moved anyway.
    """
    well, badly = sorted(sale_calendar().events, key=lambda event: event.starts_at)[:2]
    with stage.without_ticks():
        _all_goes_well(stage, well)
        _a_step_fails(stage, badly)


def _all_goes_well(stage: Stage, event: SaleEvent) -> None:
    base = _quiet(stage, event)
    raised = stage.tick("PrewarmFunctionName", _lead(event))
    record = _window(stage, event)
    up = _wanted(raised)
    stage.expect(
        raised["ready"] and record.state == "ready", f"T-15: raised to {_listed(up)}, and all of it verified"
    )
    stage.expect(_warm(stage) == up["message"] > base["message"], "Lambda itself has the warm environments")
    stage.expect(_ready_metric(stage) == 1, "WarmCapacityReady=1 was emitted")
    _ends(stage, event, up)


def _a_step_fails(stage: Stage, event: SaleEvent) -> None:
    _quiet(stage, event)
    stage.twin.set_fault("sagemaker", {"kind": "throttle"})
    broken = stage.tick("PrewarmFunctionName", _lead(event))
    record = _window(stage, event)
    stage.expect(
        sorted(broken["failed"]) == ["intent", "reranker"] and record.state == "incomplete",
        "T-15 with SageMaker throttled: both endpoints failed, the record says incomplete",
    )
    stage.expect(
        record.steps["message"].state == "verified" and record.steps["search"].state == "verified",
        "T-15: the others were raised and verified all the same",
    )
    stage.expect(stage.alarm("PrewarmStepFailed") == "ALARM", "the page went out (PrewarmStepFailed)")

    stage.twin.clear_faults()
    raised = stage.tick("PrewarmFunctionName", _lead(event) + TICK)
    up = _wanted(raised)
    stage.expect(
        raised["ready"] and _window(stage, event).state == "ready",
        f"T-10, mended: raised to {_listed(up)}, and all of it verified",
    )
    _ends(stage, event, up)


def _quiet(stage: Stage, event: SaleEvent) -> dict[str, int]:
    """What there is five minutes before capacity is raised."""
    quiet = stage.tick("PrewarmFunctionName", _lead(event) - TICK)
    base = _wanted(quiet)
    stage.expect(
        event.id not in quiet["windows"] and not quiet["failed"],
        f"{event.id}, T-20: not due, capacity is {_listed(base)}",
    )
    return base


def _ends(stage: Stage, event: SaleEvent, up: dict[str, int]) -> None:
    over = stage.tick("PrewarmFunctionName", event.ends_at)
    stage.expect(
        event.id not in over["windows"] and _window(stage, event).state == "over" and not over["failed"],
        "at the end: the window is over",
    )
    back = _wanted(over)
    stage.expect(back["message"] < up["message"], f"capacity is back to {_listed(back)}")
    stage.expect(_warm(stage) == back["message"], "Lambda itself has let go")


def _lead(event: SaleEvent) -> datetime:
    return event.starts_at - timedelta(minutes=sale_calendar().lead_minutes)


def _listed(wanted: dict[str, int]) -> str:
    return ", ".join(f"{name} {units}" for name, units in wanted.items())


def _wanted(tick: dict[str, Any]) -> dict[str, int]:
    return {name: step["wanted"] for name, step in tick["steps"].items()}


def _window(stage: Stage, event: SaleEvent) -> WindowRecord:
    record = stage.store.window(event.id)
    if record is None:
        raise RehearsalFailed(f"nothing was remembered about {event.id}")
    return record


def _warm(stage: Stage) -> int:
    found = stage.client("lambda").get_provisioned_concurrency_config(
        FunctionName=stage.output("Chat", "MessageFunctionName"), Qualifier="live"
    )
    return int(found["RequestedProvisionedConcurrentExecutions"])


def _ready_metric(stage: Stage) -> float:
    """The last value that was emitted, found by its own time, which is the real one."""
    end = datetime.now().astimezone() + timedelta(minutes=1)
    points = stage.client("cloudwatch").get_metric_statistics(
        Namespace="MangaAssist",
        MetricName="WarmCapacityReady",
        Dimensions=[{"Name": "environment", "Value": "local"}],
        StartTime=end - timedelta(minutes=10),
        EndTime=end,
        Period=60,
        Statistics=["Maximum"],
    )["Datapoints"]
    return max(points, key=lambda point: point["Timestamp"])["Maximum"] if points else -1


# --- throughput -----------------------------------------------------------------------------------------


def rehearse_throughput(stage: Stage, while_active: Callable[[str, str], None] | None = None) -> None:
    """A purchase from 48 hours before a sale until 24 hours after it, with a crash after it was bought.

    Args:
        stage: where.
        while_active: called with the model's id and the ARN as soon as it is published.
    """
    event = min(sale_calendar().events, key=lambda event: event.starts_at)
    start, end = event.starts_at - timedelta(hours=48), event.ends_at + timedelta(hours=24)
    with stage.without_ticks():
        moment = start - timedelta(days=2)
        for _ in range(4):  # Whatever an earlier rehearsal left behind is withdrawn, deleted, confirmed.
            moment += TICK
            stage.tick("ModelCapacityFunctionName", moment)
        stage.expect(not stage.store.published(), "T-72 h: nothing is published, everything is on demand")

        bought = stage.tick("ModelCapacityFunctionName", start)
        (model_id,) = bought["states"]
        record = _purchase(stage, model_id)
        stage.expect(
            record.state == "creating" and record.arn, f"T-48 h: {record.units} unit(s) of {model_id} bought"
        )
        stage.expect(not stage.store.published(), "not published before it is in service")

        stage.store.save_throughput(record.model_copy(update={"state": "requested", "arn": None}))
        stage.tick("ModelCapacityFunctionName", start + TICK)
        stage.tick("ModelCapacityFunctionName", start + 2 * TICK)
        found = _purchase(stage, model_id)
        stage.expect(
            found.arn == record.arn and found.state == "active",
            "crash before its ARN was stored: found again by its name, nothing bought twice",
        )
        arn = stage.store.published().get(model_id)
        stage.expect(arn == record.arn, f"in service and published: {model_id} resolves to {arn}")
        if while_active is not None and arn is not None:
            while_active(model_id, arn)

        stage.tick("ModelCapacityFunctionName", end)
        stage.expect(not stage.store.published(), "T+24 h: withdrawn, the model is on demand again")
        stage.expect(
            _purchase(stage, model_id).state == "draining", "and not deleted while somebody may remember it"
        )
        stage.tick("ModelCapacityFunctionName", end + TICK)
        stage.expect(_purchase(stage, model_id).state == "gone", "deleted: nothing is billed any more")


def _purchase(stage: Stage, model_id: str) -> ThroughputRecord:
    record = stage.store.throughput(model_id)
    if record is None:
        raise RehearsalFailed(f"nothing was remembered about {model_id}")
    return record
