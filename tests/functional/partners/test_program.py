"""The program as it is started: a process, a port, a signal; and ``mangactl store`` against it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer

from tests.functional.partners.conftest import ADMINISTRATOR, READER
from tools.mangactl import store_commands
from tools.mangactl.failures import CommandFailure

ROOT = Path(__file__).resolve().parents[3]


def start(*arguments: str, **variables: str) -> subprocess.Popen[str]:
    roots = os.pathsep.join((str(ROOT), str(ROOT / "layers" / "core" / "python")))
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": roots, **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "services.partners", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


CREDENTIALS = {"PARTNERS_CREDENTIAL": READER, "PARTNERS_ADMIN_CREDENTIAL": ADMINISTRATOR}


@pytest.fixture
def running(feed_folder: Path, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    database = f"sqlite:///{tmp_path}/partners.db"
    process = start("--port", "0", "--database", database, "--feed", str(feed_folder), **CREDENTIALS)
    assert process.stdout is not None
    try:
        for line in process.stdout:
            told = json.loads(line)
            if told.get("event") == "serving":
                break
        else:
            raise AssertionError(process.communicate()[1])
        yield process, f"http://127.0.0.1:{told['port']}"
    finally:
        process.kill()
        process.communicate()


def test_it_seeds_serves_and_ends_by_the_signal(running: tuple[subprocess.Popen[str], str]) -> None:
    process, url = running
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {READER}"}) as http:
        assert http.get("/health").json()["status"] == "ready"
        customers = [
            http.get(f"/orders/v1/customers/customer-{n:04d}/orders").json()["orders"] for n in (1, 2)
        ]
        assert all(customers)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=30)
    # uvicorn ends by the signal it was told to end by.
    assert process.returncode == -signal.SIGTERM
    assert err == ""
    routes = [json.loads(line)["route"] for line in out.splitlines() if "route" in json.loads(line)]
    assert routes.count("/orders/v1/customers/{customer_id}/orders") == 2
    assert READER not in out


@pytest.mark.parametrize(
    ("variables", "arguments", "status", "told"),
    [
        ({}, [], 2, "PARTNERS_CREDENTIAL is not set"),
        (CREDENTIALS, ["--port", "99999"], 2, "whole number"),
        (CREDENTIALS, ["--epoch", "soon"], 2, "2026-11-02"),
        (CREDENTIALS, ["--feed", "/nowhere"], 1, "python -m tools.catalogue build"),
        (CREDENTIALS, ["--database", "sqlite://"], 1, "sqlite:///"),
    ],
)
def test_it_does_not_start_and_says_why(
    feed_folder: Path, tmp_path: Path, variables: dict[str, str], arguments: list[str], status: int, told: str
) -> None:
    given = ("--feed", str(feed_folder), "--database", f"sqlite:///{tmp_path}/partners.db", "--port", "0")
    process = start(*given, *arguments, **variables)
    _, err = process.communicate(timeout=60)
    assert process.returncode == status
    assert told in err
    assert "Traceback" not in err


def store(*arguments: str) -> int:
    """The command's exit code, as mangactl's own would be."""
    try:
        typer.main.get_command(store_commands.app)(args=list(arguments), standalone_mode=False)
    except CommandFailure as failure:
        return failure.exit_code
    return 0


def test_the_store_command_sets_a_price_and_shows_it(
    running: tuple[subprocess.Popen[str], str],
    feed_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _, url = running
    first: dict[str, Any] = json.loads(
        next(iter(sorted(feed_folder.glob("*.jsonl")))).read_text().splitlines()[0]
    )
    asin: str = first["volumes"][0]["asin"]
    for name, value in {"PARTNERS_URL": url, **CREDENTIALS}.items():
        monkeypatch.setenv(name, value)
    assert store("price", asin, "--set", "7.99", "--list", "9.99", "--stock", "3") == 0
    capsys.readouterr()
    assert store("offer", asin, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["offer"]["price"]["amount"], found["offer"]["stock"]) == ("7.99", 3)
    assert store("orders", "customer-0001") == 0
    assert "order-0001-01" in capsys.readouterr().out
    assert store("price", asin, "--set", "12.99") == 5, "the list price that stays is below it"
    assert store("price", asin, "--set", "free") == 2
    assert store("offer", "B000000000") == 2
    assert store("offer", "short") == 2
    monkeypatch.setenv("PARTNERS_CREDENTIAL", "wrong-0123456789")
    assert store("offer", asin) == 4
    monkeypatch.setenv("PARTNERS_URL", "http://127.0.0.1:1")
    assert store("offer", asin) == 4
