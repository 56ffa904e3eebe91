"""What settings accept and refuse, and that each environment renders."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from aws_cdk import aws_s3 as s3
from pydantic import ValidationError

from stacks.application import MangaAssist, build
from stacks.checks import attach_checks
from stacks.environments import (
    ENVIRONMENTS,
    DataProtection,
    EnvironmentSettings,
    SearchCapacity,
    UnknownEnvironment,
    environment_named,
    on_this_machine,
)
from tests.infrastructure.synthesized import ALWAYS, ROOT, Synthesized


def checked(settings: EnvironmentSettings, output: Path) -> tuple[App, MangaAssist]:
    flags = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
    app = App(context={**flags, "aws:cdk:bundling-stacks": []}, outdir=str(output))
    stacks = build(app, settings)
    attach_checks(app, stacks)
    return app, stacks


def changed(name: str, **changes: Any) -> EnvironmentSettings:
    return EnvironmentSettings(**{**ENVIRONMENTS[name].model_dump(), **changes})


@pytest.mark.req("IAC-1")
def test_there_are_four_environments_and_each_has_every_stack(application: Synthesized) -> None:
    assert list(ENVIRONMENTS) == ["local", "dev", "staging", "prod"]
    assert set(application.templates) >= set(ALWAYS)


@pytest.mark.req("IAC-1", "IAC-5")
def test_a_synth_of_each_environment_passes_every_check_without_an_account(
    environment: EnvironmentSettings, tmp_path: Path
) -> None:
    assert environment.account is None
    app = checked(environment, tmp_path)[0]
    app.synth()


@pytest.mark.req("IAC-5")
def test_a_finding_without_a_written_reason_stops_the_synth(tmp_path: Path) -> None:
    app, stacks = checked(ENVIRONMENTS["dev"], tmp_path)
    s3.Bucket(stacks.sessions, "Careless")
    with pytest.raises(RuntimeError):
        app.synth()
    report = (tmp_path / "validation-report.json").read_text("utf-8")
    assert "AwsSolutions-S1" in report
    assert "AwsSolutions-S10" in report


@pytest.mark.req("IAC-1")
def test_an_unknown_environment_is_one_line_that_lists_the_names() -> None:
    with pytest.raises(UnknownEnvironment, match="local, dev, staging, prod"):
        environment_named("production")

    context = json.dumps({"environment": "production"})
    result = subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env={**os.environ, "CDK_CONTEXT_JSON": context},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert result.stderr.splitlines() == [
        "error: unknown environment 'production': choose one of local, dev, staging, prod (-c environment=NAME)"
    ]


@pytest.mark.req("IAC-1")
def test_settings_refuse_unknown_keys_changes_and_positions() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        changed("dev", sesion_ttl_seconds=60)
    with pytest.raises(ValidationError, match="frozen"):
        ENVIRONMENTS["dev"].region = "eu-west-1"  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError):
        EnvironmentSettings("dev")  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError):
        ENVIRONMENTS["qa"] = ENVIRONMENTS["dev"]  # pyright: ignore[reportIndexIssue]


@pytest.mark.parametrize(
    ("name", "changes", "problem"),
    [
        (
            "prod",
            {"protection": {**ENVIRONMENTS["prod"].protection.model_dump(), "point_in_time_recovery": False}},
            "prod keeps its data",
        ),
        ("prod", {"search": {"min_ocu": 0, "max_ocu": 4}}, "must not scale to zero"),
        ("prod", {"log_retention_days": 30}, "90 days or longer"),
        ("prod", {"backups": None}, "locked vault"),
        ("prod", {"backups": {"locked": False}}, "locked vault"),
        ("prod", {"network": None}, "cache without network"),
        ("prod", {"replica_regions": ("us-east-1",)}, "another region than us-east-1"),
        ("prod", {"replica_regions": ("us-west-2", "us-west-2")}, "once"),
        ("dev", {"network": {"nat_gateways": 0}}, "nat_gateways"),
        ("dev", {"network": {"nat_gateways": 1, "zones": ("a", "a")}}, "two different letters"),
        ("staging", {"backups": {"monthly_days": 90}}, "monthly_days"),
        ("prod", {"message_reserved_concurrency": 3}, "above the reserved 3"),
        ("dev", {"bundle_for": "host"}, "for environment local"),
        ("dev", {"guest_token_ttl_seconds": 3_600, "session_ttl_seconds": 600}, "outlive its session"),
        ("dev", {"region": "mars"}, "region"),
        ("dev", {"account": "12"}, "account"),
        ("dev", {"model_geographies": ("moon",)}, "model_geographies"),
        ("dev", {"edge": {"domains": {"page": "chat.example.com"}}}, "certificate_arn"),
        ("dev", {"edge": {"guest_tokens_per_five_minutes": 5_000}}, "would never count"),
        ("dev", {"identity": {"access_token_minutes": 1}}, "access_token_minutes"),
        ("prod", {"edge": None}, "through the edge only"),
        ("prod", {"edge": {"web_acl": False}}, "through the edge only"),
        ("prod", {"identity": None}, "threat protection"),
        ("prod", {"secret_rotation_days": None}, "rotates its secrets"),
        ("prod", {"operations_key": False}, "encrypts its logs and queues"),
        ("dev", {"websocket_throttle": {"rate_per_second": 0, "burst": 1}}, "greater than 0"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(
    name: str, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        changed(name, **changes)


@pytest.mark.parametrize(("low", "high"), [(2, 0), (3, 8), (0, 5), (16, 8), (0, 24), (-2, 2), (0, 1_712)])
def test_search_capacity_comes_in_the_steps_of_the_service(low: int, high: int) -> None:
    with pytest.raises(ValidationError):
        SearchCapacity(min_ocu=low, max_ocu=high)


def test_a_protected_table_is_also_retained() -> None:
    with pytest.raises(ValidationError, match="without retain"):
        DataProtection(retain=False, deletion_protection=True, point_in_time_recovery=True)


def test_the_twin_may_render_any_environment_for_this_machine_and_nothing_else_changes() -> None:
    for settings in ENVIRONMENTS.values():
        here = on_this_machine(settings)
        assert here.bundle_for == "host"
        assert here.model_copy(update={"bundle_for": settings.bundle_for}) == settings
