"""The role of every function and of the catalogue's task, tried out: its duties are allowed, everything else is denied."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import psutil
import pytest

from tests.e2e.probes import PROBES, Caller, Places, is_denied
from tools.twin import interpreters
from tools.twin.state import Record
from tools.twin.supervisor import Twin

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent.name for path in (ROOT / "lambdas").glob("*/handler.py"))

pytestmark = pytest.mark.environments("prod")

DUTIES: Final[Mapping[str, frozenset[str]]] = {
    "authorizer": frozenset({"read guest secret", "read origin secret"}),
    "connect": frozenset({"get sessions", "put sessions", "update sessions"}),
    "disconnect": frozenset({"get sessions", "delete sessions"}),
    "guardrail": frozenset({"batch_get catalogue", "read partner secret"}),
    "guest_token": frozenset({"read guest secret", "read origin secret"}),
    "ingest": frozenset(
        {
            "batch_get catalogue",
            "batch_write catalogue",
            "create index",
            "delete index",
            "embed",
            "get catalogue",
            "look at failed feeds",
            "put catalogue",
            "read feed",
            "read policy",
            "search",
            "switch alias",
            "update catalogue",
            "write index",
            "write quarantine",
        }
    ),
    "message": frozenset(
        {
            "ask intent",
            "ask reranker",
            "converse",
            "delete sessions",
            "embed",
            "get sessions",
            "invoke guardrail",
            "post to connection",
            "put sessions",
            "query sessions",
            "read partner secret",
            "read policy",
            "search",
            "update sessions",
        }
    ),
    # Prod buys no throughput as long as its models are not sold for it, so this one has nothing to do with Bedrock.
    "model_capacity": frozenset({"get capacity", "put capacity"}),
    "model_warmup": frozenset({"ask intent", "ask reranker", "describe endpoint"}),
    "policy_seed": frozenset({"flip policy"}),
    "policy_validator": frozenset(),
    "prewarm": frozenset(
        {
            "describe endpoint",
            "get capacity",
            "look at scaling",
            "look at search units",
            "look at warm environments",
            "put capacity",
            "raise message",
        }
    ),
    "rotate_guest_secret": frozenset({"move guest secret", "read guest secret"}),
    "rotate_origin_secret": frozenset({"look at distribution", "move origin secret", "read origin secret"}),
    "web_publish": frozenset({"delete from page", "list page"}),
}
"""What of ``PROBES`` each function is for; a new function fails until it has its line here."""
CATALOGUE_DUTIES: Final = frozenset({"batch_get catalogue", "query catalogue", "scan catalogue"})
"""The same of the catalogue's task, which reads one table."""


@pytest.fixture(scope="module")
def places(twin: Twin) -> Places:
    root = Caller.root(twin)
    secrets = {
        each["Name"]: each["ARN"] for each in root.client("secretsmanager").list_secrets()["SecretList"]
    }
    queues = root.client("sqs").list_queues(QueueNamePrefix="MangaAssist-prod-Ingest-Failures")["QueueUrls"]
    resources = root.client("cloudformation").describe_stack_resources(StackName="MangaAssist-prod-Sessions")
    feed = root.client("s3").list_objects_v2(Bucket=root.output("Ingest", "FeedBucketName"), Prefix="feed/")
    return Places(
        guest_secret=next(arn for name, arn in secrets.items() if "GuestTokenSecret" in name),
        partner_secret=next(arn for name, arn in secrets.items() if name.endswith("-partners")),
        origin_secret=next(arn for name, arn in secrets.items() if "OriginSecret" in name),
        sessions_key=next(
            each["PhysicalResourceId"]
            for each in resources["StackResources"]
            if each["ResourceType"] == "AWS::KMS::Key"
        ),
        feed_object=feed["Contents"][0]["Key"],
        failures_queue=queues[0],
    )


@pytest.fixture(scope="module")
def functions(twin: Twin) -> Mapping[str, Caller]:
    """The deployed functions by their folder."""
    pages = Caller.root(twin).client("lambda").get_paginator("list_functions").paginate()
    return {
        each["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"]: Caller.function(
            twin, each["FunctionName"]
        )
        for page in pages
        for each in page["Functions"]
    }


@pytest.mark.req("SEC-4")
@pytest.mark.parametrize("folder", FOLDERS)
def test_a_function_may_do_its_duties_and_nothing_else(
    functions: Mapping[str, Caller], places: Places, folder: str
) -> None:
    assert folder in DUTIES, "say in DUTIES which probes this function is for"
    assert DUTIES[folder] <= PROBES.keys()
    allowed = {name for name, probe in PROBES.items() if not is_denied(probe, functions[folder], places)}
    assert allowed == DUTIES[folder]


@pytest.mark.req("SEC-4")
def test_the_catalogue_task_may_read_its_table_and_nothing_else(twin: Twin, places: Places) -> None:
    task = Caller.task(twin, "catalogue")
    allowed = {name for name, probe in PROBES.items() if not is_denied(probe, task, places)}
    assert allowed == CATALOGUE_DUTIES


def test_the_probes_can_be_answered(twin: Twin, places: Places) -> None:
    """Root is denied nothing, so a denial above is about the role and not about the call."""
    harmless = PROBES.keys() - {"drop sessions", "drop catalogue", "change a function", "become another"}
    root = Caller.root(twin)
    assert [name for name in harmless if is_denied(PROBES[name], root, places)] == []


def test_functions_run_on_a_bare_interpreter_under_enforced_roles(twin: Twin) -> None:
    record = Record.read(twin.layout)
    assert record is not None
    emulator = next(each for each in record.processes if each.name == "emulator")
    environment = psutil.Process(emulator.pid).environ()
    assert environment["AUTH"] == "true"
    python = Path(environment["TWIN_LAMBDA_PYTHON"])
    assert python == interpreters.lambda_python()
    packages = python.parents[1].glob("lib/python*/site-packages/*")
    assert list(packages) == [], "only layers and code can be imported"
