"""Every alarm leads to a page, and every command of every page is one that exists."""

from __future__ import annotations

import ast
import itertools
import re
import shlex
from collections.abc import Iterator
from typing import Any, get_args

import botocore.session
import pytest
import typer
from botocore import xform_name

from stacks.environments import ENVIRONMENTS
from tests.infrastructure.synthesized import ROOT, Synthesized, synthesize
from tools.mangactl.cli import app
from tools.runbooks import INDEX, Runbook, render, runbooks
from tools.twin.faults import Kind

BOOKS = runbooks()
NAMES = {book.name for book in BOOKS}
BY_NEED = {
    "model-slow-or-down",
    "hot-session",
    "bad-index",
    "price-incident",
    "counterfeit-listing",
    "flash-sale",
    "region-loss",
}
"""OPS-3 names these, whatever alarms there are."""
GUIDES = {"restore", "model-release", "standby"}
"""Step by step, not the answer to an alarm."""
PARTS = ("Means", "First look", "Likely causes", "(Do|What to do)", "Verify", "Rehearse")
OF_THE_CLI_ALONE = {
    ("logs", "tail"): {"--since", "--filter-pattern", "--follow", "--format"},
    ("s3", "ls"): {"--recursive"},
    ("s3", "cp"): {"--metadata-directive", "--recursive"},
    ("s3", "sync"): {"--source-region"},
    ("cloudwatch", "put-metric-data"): {"--namespace", "--metric-name", "--dimensions", "--value", "--unit"},
    ("cloudtrail", "validate-logs"): {"--trail-arn", "--start-time"},
}
"""Commands that the AWS CLI makes of several calls; botocore does not know them."""
GLOBAL_OPTIONS = {
    "--endpoint-url",
    "--query",
    "--output",
    "--region",
    "--cli-input-json",
    "--cli-read-timeout",
    "--profile",
    "--no-cli-pager",
}


def _alarms(application: Synthesized) -> dict[str, dict[str, Any]]:
    return {
        **application.resources("AWS::CloudWatch::Alarm"),
        **application.resources("AWS::CloudWatch::CompositeAlarm"),
    }


def _commands(text: str, program: str) -> Iterator[list[str]]:
    """Every call of ``program`` in a page: in blocks of code, and in single words of code."""
    blocks = re.findall(r"```(?:bash|sh)\n(.*?)```", text, re.DOTALL)
    spans = re.findall(r"(?<!`)`([^`]+)`(?!`)", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    for code in (
        *(block.replace("\\\n", " ") for block in blocks),
        *(" ".join(span.split()) for span in spans),
    ):
        for found in re.finditer(rf"(?:^|\$\(|[;|&]\s*|\bdo |\{{ )\s*({program} )", code, re.MULTILINE):
            yield _words(code[found.start(1) :])


def _words(code: str) -> list[str]:
    """As a shell would split it, up to the end of the command; a ``$(...)`` inside counts as one word."""
    flat = re.sub(r'"?\$\([^()]*\)"?', "NESTED", re.sub(r"(?<=\s)# [^\n]*", "", code))
    lexer = shlex.shlex(flat, posix=True, punctuation_chars="|;&<>()\n")
    lexer.whitespace, lexer.whitespace_split = " \t", True
    words: list[str] = []
    for word in lexer:
        if set(word) <= set("|;&<>()\n"):
            break
        words.append(word)
    return words


def _parse(arguments: list[str]) -> Any:
    """Let mangactl read its arguments without doing anything; raises as it would."""
    command: Any = typer.main.get_command(app)
    name, context = "mangactl", None
    while True:
        context = command.make_context(name, list(arguments), parent=context)
        if not hasattr(command, "resolve_command"):
            return context
        rest = [*getattr(context, "_protected_args", []), *context.args]
        assert rest, "a group alone does nothing"
        name, command, arguments = command.resolve_command(context, rest)


@pytest.mark.req("OBS-3", "OPS-3")
def test_every_alarm_has_an_action_a_severity_and_a_runbook(application: Synthesized) -> None:
    alarms = _alarms(application)
    assert alarms
    for name, alarm in alarms.items():
        properties = alarm["Properties"]
        assert properties["AlarmActions"], name
        assert properties["OKActions"], name
        assert properties.get("ActionsEnabled", True) is True
        told = re.fullmatch(
            r"\[(page|ticket)\] [A-Za-z].+[^.]\. Runbook: docs/runbooks/([a-z-]+)\.md",
            properties["AlarmDescription"],
        )
        assert told, properties["AlarmDescription"]
        assert told[2] in NAMES
        topic = str(properties["AlarmActions"])
        assert f"{application.settings.resource_prefix}-{told[1]}" in topic, (
            "the severity decides who is told"
        )
        if alarm["Type"] == "AWS::CloudWatch::Alarm":
            assert properties["TreatMissingData"] in ("notBreaching", "breaching", "ignore", "missing")


@pytest.mark.req("OPS-3")
def test_the_named_troubles_have_a_runbook_and_no_page_is_forgotten() -> None:
    assert NAMES >= BY_NEED
    used = {
        re.search(r"([a-z-]+)\.md$", alarm["Properties"]["AlarmDescription"])[1]  # type: ignore[index]
        for settings in ENVIRONMENTS.values()
        for alarm in _alarms(synthesize(settings)).values()
    }
    waiting = {"budget", "enrichment-slow", "context-budget", "cache-hits-low"}
    assert NAMES - used - BY_NEED - GUIDES - waiting == set(), "a page that nothing leads to"


@pytest.mark.parametrize(
    "book", [book for book in BOOKS if book.name not in GUIDES], ids=lambda book: book.name
)
def test_a_runbook_answers_all_questions_and_can_be_rehearsed(book: Runbook) -> None:
    for part in PARTS:
        assert re.search(rf"\*\*{part}:?\*\*", book.text), f"{book.name} lacks {part}"
    assert list(_commands(book.text, "mangactl")) or list(_commands(book.text, "aws")), (
        "a first look is a command"
    )
    assert len(book.text) < 6_000, "read at three in the morning"


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_what_a_runbook_tells_mangactl_it_understands(book: Runbook) -> None:
    for words in _commands(book.text, "mangactl"):
        context = _parse(words[1:])
        if context.info_name == "fault" and context.params["kind"]:
            assert context.params["kind"] in get_args(Kind)
            assert context.params["service"] in _services(), words


@pytest.mark.parametrize(
    "words", [["twin", "fault", "search", "--how-long", "3"], ["policy", "flip"], ["chat", "-x"], ["twin"]]
)
def test_a_command_that_does_not_exist_would_be_found(words: list[str]) -> None:
    with pytest.raises((typer.TyperException, AssertionError)):
        _parse(words)


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_what_a_runbook_tells_aws_exists(book: Runbook) -> None:
    for words in _commands(book.text, "aws"):
        _check_aws(words[1:])


@pytest.mark.parametrize(
    "line",
    [
        "logs trail /mangaassist/prod/message",
        "dynamodb get-item --table TABLE",
        "cloudwatch describe-alarms --alarm-states ALARM",
        "dynamo list-tables",
    ],
)
def test_an_aws_command_that_does_not_exist_would_be_found(line: str) -> None:
    with pytest.raises(AssertionError):
        _check_aws(line.split())


def test_commands_name_alarms_trails_and_log_groups_that_exist() -> None:
    prod = synthesize(ENVIRONMENTS["prod"])
    alarms = [alarm["Properties"]["AlarmName"] for alarm in _alarms(prod).values()]
    groups = {group["Properties"]["LogGroupName"] for group in prod.resources("AWS::Logs::LogGroup").values()}
    for book in BOOKS:
        for words in _commands(book.text, "aws"):
            for flag, value in itertools.pairwise(words):
                if flag == "--alarm-name-prefix":
                    assert [name for name in alarms if name.startswith(value)], f"{book.name}: {value}"
                if flag in ("--log-group-name", "tail") and "$" not in value:
                    assert value in groups, f"{book.name}: {value}"


def test_pages_point_to_pages() -> None:
    for book in BOOKS:
        pointed = re.findall(r"\(`([a-z]+(?:-[a-z]+)+)`\)", book.text) + re.findall(
            r"\]\(([a-z-]+)\.md\)", book.text
        )
        assert set(pointed) <= NAMES, f"{book.name} points to {set(pointed) - NAMES}"


def test_the_index_is_up_to_date() -> None:
    assert INDEX.read_text("utf-8") == render(), "run: make docs"


def _services() -> set[str]:
    """What the twin can break: its emulator, models, search, edge and the store's services."""
    from tools.twin.models.app import BEDROCK, PERSONALIZE, SAGEMAKER

    # Read, not imported: the emulator has a virtual environment of its own.
    module = ast.parse((ROOT / "tools/twin/emulator/control.py").read_text("utf-8"))
    (emulated,) = [
        ast.literal_eval(node.value)
        for node in module.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "SERVICES"
    ]
    return {*emulated, BEDROCK, SAGEMAKER, PERSONALIZE, "search", "edge", "partners", "catalogue"}


def _check_aws(words: list[str]) -> None:
    service, operation = words[0], words[1]
    flags = {word.split("=")[0] for word in words[2:] if word.startswith("--")} - GLOBAL_OPTIONS
    alone = OF_THE_CLI_ALONE.get((service, operation))
    if alone is not None:
        assert flags <= alone, words
        return
    session = botocore.session.get_session()
    names = {"configservice": "config", "s3api": "s3"} | {
        name: name for name in session.get_available_services()
    }
    assert service in names, f"no service {service}"
    if operation == "wait":
        waiters = session.get_component("data_loader").load_service_model(names[service], "waiters-2")
        assert words[2] in {xform_name(name, "-") for name in waiters["waiters"]}, words
        return
    model = session.get_service_model(names[service])
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in operations, f"{service} has no {operation}"
    shape = model.operation_model(operations[operation]).input_shape
    members = {f"--{xform_name(name, '-')}" for name in (shape.members if shape else {})}
    members |= {"--max-items", "--page-size", "--starting-token", "--no-paginate"}
    members |= {f"--no-{name.removeprefix('--')}" for name in members}
    assert flags <= members, f"{service} {operation} knows no {sorted(flags - members)}"
