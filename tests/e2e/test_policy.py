"""On-call flips a model tier: the next answers show it, nothing was deployed, and it can be taken back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mangaassist.protocol import FinalFrame
from tools.chat_client import ChatClient
from tools.twin.supervisor import Twin

ROOT = Path(__file__).resolve().parents[2]
QUESTION = "Recommend horror manga like Junji Ito"
REACH_SECONDS = 60
"""OPS-2: a flip reaches running handlers within a minute."""

pytestmark = pytest.mark.environments("prod")


def mangactl(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as on-call types it, in a process of its own."""
    command = [sys.executable, "-m", "tools.mangactl", *arguments]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "layers/core/python")))}
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120)


async def tier(twin: Twin) -> str | None:
    async with await ChatClient.connect(twin.urls().websocket, twin.urls().api) as client:
        frames = [frame async for frame in client.ask(QUESTION)]
    assert isinstance(frames[-1], FinalFrame), frames[-1]
    return frames[-1].metadata.model_tier


async def answered_by(twin: Twin, wanted: str) -> None:
    give_up = time.monotonic() + REACH_SECONDS
    seen = await tier(twin)
    while seen != wanted and time.monotonic() < give_up:
        seen = await tier(twin)
    assert seen == wanted


@pytest.mark.req("OPS-1", "OPS-2", "GEN-1")
async def test_a_flip_reaches_the_next_answers_without_a_deploy(
    twin: Twin, aws: Callable[[str], Any]
) -> None:
    stacks_before = _stacks(aws)
    assert await tier(twin) == "strong"
    flipped = mangactl("policy", "set", "answer_synthesis", "economy", "--reason", "drill", "--json")
    assert flipped.returncode == 0, flipped.stdout + flipped.stderr
    await answered_by(twin, "economy")
    undone = mangactl("policy", "rollback", "--reason", "drill over", "--json")
    assert undone.returncode == 0, undone.stdout
    await answered_by(twin, "strong")
    assert _stacks(aws) == stacks_before


@pytest.mark.req("GEN-2")
def test_a_broken_document_changes_nothing(twin: Twin, tmp_path: Path) -> None:
    before = json.loads(mangactl("policy", "show", "--json").stdout)
    broken = tmp_path / "policy.json"
    broken.write_text('{"schema_version": 1, "tiers": {}}')
    refused = mangactl("policy", "apply", str(broken), "--reason", "drill", "--json")
    assert refused.returncode != 0
    assert json.loads(refused.stdout)["error"]["problems"]
    assert json.loads(mangactl("policy", "show", "--json").stdout) == before


@pytest.mark.req("GEN-2")
def test_the_service_itself_refuses_a_broken_document(twin: Twin, aws: Callable[[str], Any]) -> None:
    outputs = twin.outputs()["ModelPolicy"]
    appconfig = aws("appconfig")
    with pytest.raises(appconfig.exceptions.BadRequestException):
        appconfig.create_hosted_configuration_version(
            ApplicationId=outputs["PolicyApplicationId"],
            ConfigurationProfileId=outputs["PolicyProfileId"],
            Content=b'{"schema_version": 1}',
            ContentType="application/json",
        )


def _stacks(aws: Callable[[str], Any]) -> dict[str, str]:
    described = aws("cloudformation").describe_stacks()["Stacks"]
    return {
        stack["StackName"]: f"{stack['StackStatus']} {stack.get('LastUpdatedTime', stack['CreationTime'])}"
        for stack in described
    }
