"""A sale with a moved clock on the whole twin: what is raised comes up and goes down, what is bought answers shoppers."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from mangaassist.protocol import FinalFrame
from tests.e2e.test_policy import QUESTION, mangactl
from tools.chat_client import ChatClient
from tools.mangactl.capacity_rehearsals import Stage, rehearse_prewarm, rehearse_throughput
from tools.twin.supervisor import Twin

NOVA = "amazon.nova-lite-v1:0"


@pytest.mark.req("CAP-1")
def test_a_sale_is_prepared_with_one_control_plane_broken(twin: Twin) -> None:
    rehearse_prewarm(Stage(twin, print))


@pytest.mark.req("CAP-2", "GEN-9")
def test_a_tier_resolves_to_bought_capacity_overflows_and_resolves_back(twin: Twin, tmp_path: Path) -> None:
    put_in_force(twin, tmp_path, NOVA)
    try:
        assert asked_for(twin) == [NOVA]

        def while_active(model_id: str, arn: str) -> None:
            assert model_id == NOVA
            forget_what_was_read(twin)
            assert asked_for(twin) == [arn]
            twin.set_fault("bedrock-runtime", {"kind": "throttle", "match": "provisioned-model"})
            assert asked_for(twin) == [NOVA], "overflow goes on demand, to the same model"
            assert twin.faults()["bedrock-runtime"]["hits"] == 1
            twin.clear_faults()

        rehearse_throughput(Stage(twin, print), while_active)
        forget_what_was_read(twin)
        assert asked_for(twin) == [NOVA]
    finally:
        undone = mangactl("policy", "rollback", "--reason", "drill over", "--json")
        assert undone.returncode == 0, undone.stdout
        forget_what_was_read(twin)


def test_on_call_sees_and_forces(twin: Twin) -> None:
    stage = Stage(twin, print)
    with stage.without_ticks():
        plan = json.loads(mangactl("capacity", "plan", "-e", "local", "--json").stdout)
        event = next(each["id"] for each in plan["windows"] if each["id"] != "business-hours")
        raised = mangactl("capacity", "prewarm", "--now", event, "--json")
        assert raised.returncode == 0, raised.stdout + raised.stderr
        assert event in json.loads(raised.stdout)["windows"]
        status = json.loads(mangactl("capacity", "status", "--json").stdout)
        (window,) = [each for each in status["windows"] if each["id"] == event]
        assert (window["state"], bool(window["forced_at"])) == ("ready", True)
        released = mangactl("capacity", "prewarm", "--release", event, "--json")
        assert event not in json.loads(released.stdout)["windows"]


def put_in_force(twin: Twin, folder: Path, model_id: str) -> None:
    """A policy whose strong tier is this model, read by the next turn."""
    shown = json.loads(mangactl("policy", "show", "--json").stdout)["document"]
    shown["tiers"]["strong"] = {"model_id": model_id}
    file = folder / "policy.json"
    file.write_text(json.dumps(shown))
    applied = mangactl("policy", "apply", str(file), "--reason", "drill", "--json")
    assert applied.returncode == 0, applied.stdout + applied.stderr
    forget_what_was_read(twin)


def forget_what_was_read(twin: Twin) -> None:
    """End the functions' workers: what they remember for half a minute is then read anew, without waiting for it."""
    control(f"{twin.urls().emulator}/_twin/workers", "DELETE")


def asked_for(twin: Twin) -> list[str]:
    """What the model runtime was asked for by one turn, which the strong tier answered."""
    control(f"{twin.urls().models}/_twin/streams", "DELETE")
    assert asyncio.run(tier(twin)) == "strong"
    streams = control(f"{twin.urls().models}/_twin/streams?wait=20")["streams"]
    return [stream["model"] for stream in streams]


async def tier(twin: Twin) -> str | None:
    async with await ChatClient.connect(twin.urls().websocket, twin.urls().api) as client:
        frames = [frame async for frame in client.ask(QUESTION)]
    assert isinstance(frames[-1], FinalFrame), frames[-1]
    return frames[-1].metadata.model_tier


def control(url: str, method: str = "GET") -> dict[str, Any]:
    with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=30) as answer:
        return json.load(answer)
