"""Fresh, stale, changed, never, future: each at its edge."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tools.contracts import files, records
from tools.contracts.__main__ import app
from tools.contracts.freshness import judge
from tools.contracts.records import CLOCK_SKEW, Verification, leave, load, newest, only, save, verified

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
PACT = {"consumer": {"name": "mangaassist"}, "provider": {"name": "pricing"}}


@pytest.fixture
def contract(tmp_path: Path) -> files.Contract:
    path = tmp_path / "contracts" / "mangaassist-pricing.json"
    path.parent.mkdir()
    path.write_text(json.dumps(PACT), "utf-8")
    return files.read(path)


@pytest.mark.req("CAT-3")
@pytest.mark.parametrize(
    ("age", "verdict"),
    [
        (timedelta(), "fresh"),
        (timedelta(days=7) - SECOND, "fresh"),
        (timedelta(days=7), "stale"),
        (timedelta(days=400), "stale"),
        (-CLOCK_SKEW, "fresh"),
        (-CLOCK_SKEW - SECOND, "future"),
    ],
)
def test_a_week_is_the_limit(contract: files.Contract, age: timedelta, verdict: str) -> None:
    [found] = judge([contract], {contract.name: verified(contract, "1.0.0", NOW - age)}, NOW)
    assert (found.verdict, found.age) == (verdict, age)


@pytest.mark.req("CAT-3")
def test_a_contract_that_changed_since_counts_as_unverified(contract: files.Contract) -> None:
    record = verified(contract, "1.0.0", NOW)
    contract.path.write_text(json.dumps({**PACT, "interactions": []}), "utf-8")
    [found] = judge([files.read(contract.path)], {contract.name: record}, NOW)
    assert found.verdict == "changed"


@pytest.mark.req("CAT-3")
def test_a_contract_that_was_never_verified(contract: files.Contract) -> None:
    [found] = judge([contract], {"another": verified(contract, "1.0.0", NOW)}, NOW)
    assert (found.verdict, found.age) == ("never", None)


def test_moments_are_compared_across_zones(contract: files.Contract) -> None:
    tokyo = NOW.astimezone(timezone(timedelta(hours=9)))
    assert verified(contract, "1.0.0", tokyo).verified_at == "2026-11-21T12:00:00Z"
    [found] = judge([contract], {contract.name: verified(contract, "1.0.0", tokyo)}, tokyo)
    assert found.verdict == "fresh"


def test_the_newest_record_counts_and_those_of_contracts_that_are_gone_do_not(
    contract: files.Contract, tmp_path: Path
) -> None:
    old, new = verified(contract, "1.0.0", NOW - 3 * SECOND), verified(contract, "2.0.0", NOW)
    assert newest({"a": old}, {"a": new, "b": old}) == newest({"a": new, "b": old}, {"a": old})
    assert only(newest({"a": old, "b": new}), ["a"]) == {"a": old}
    leave(contract, new, tmp_path / "results")
    assert records.left(tmp_path / "results") == {contract.name: new}
    assert records.left(tmp_path / "nothing") == {}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"a": 1}',
        '{"a": {}}',
        '{"a": {"sha256": "x", "provider": "p", "version": "1", "verified_at": "yesterday"}}',
        '{"a": {"sha256": "x", "provider": "p", "version": "1", "verified_at": "2026-11-21T12:00:00"}}',
    ],
)
def test_a_record_that_says_nothing_counts_as_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / "verified.json"
    path.write_text(text, "utf-8")
    assert load(path) == {}


def test_records_survive_being_written(tmp_path: Path, contract: files.Contract) -> None:
    written = {"b": verified(contract, "1", NOW), "a": verified(contract, "1", NOW)}
    save(written, tmp_path / "verified.json")
    assert load(tmp_path / "verified.json") == written
    assert list(json.loads((tmp_path / "verified.json").read_text("utf-8"))) == ["a", "b"]


Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(contract: files.Contract, tmp_path: Path) -> Run:
    def run(*arguments: str) -> tuple[int, str]:
        where = ("--folder", str(contract.path.parent), "--results", str(tmp_path / "results"))
        result = CliRunner().invoke(app, ["freshness", *where, *arguments])
        return result.exit_code, result.output

    return run


def at(moment: datetime) -> tuple[str, str]:
    return "--now", moment.isoformat()


@pytest.mark.req("CAT-3")
def test_the_command_says_which_contract_and_exits_with_1(
    run: Run, contract: files.Contract, tmp_path: Path
) -> None:
    status, told = run(*at(NOW))
    assert status == 1
    assert "mangaassist-pricing" in told
    assert "never verified" in told
    assert "python -m tools.contracts verify" in told
    save({contract.name: verified(contract, "1.0.0", NOW)}, contract.path.parent / "verified.json")
    status, told = run(*at(NOW + timedelta(days=2)))
    assert (status, "fresh" in told, "2.0 d" in told) == (0, True, True)
    status, told = run(*at(NOW + timedelta(days=7)))
    assert status == 1
    assert "not verified for 7 days" in told
    leave(contract, verified(contract, "1.0.1", NOW + timedelta(days=6)), tmp_path / "results")
    assert run(*at(NOW + timedelta(days=7)))[0] == 0


@pytest.mark.req("CAT-3")
def test_a_record_from_the_future_hides_no_verification_of_now(
    run: Run, contract: files.Contract, tmp_path: Path
) -> None:
    save(
        {contract.name: verified(contract, "1.0.0", NOW + timedelta(days=400))},
        contract.path.parent / "verified.json",
    )
    status, told = run(*at(NOW))
    assert (status, "check the clock" in told) == (1, True)
    leave(contract, verified(contract, "1.0.0", NOW), tmp_path / "results")
    assert run(*at(NOW))[0] == 0
    # Nor will it make the contract fresh when its day comes.
    assert run(*at(NOW + timedelta(days=7)))[0] == 1


@pytest.mark.parametrize("text", ["yesterday", "2026-11-21T12:00:00"])
def test_a_moment_needs_a_zone(run: Run, text: str) -> None:
    status, told = run("--now", text)
    assert status == 2
    assert "2026-11-02T09:30:00Z" in told


@pytest.mark.parametrize("content", [None, "", "[]", '{"provider": "pricing"}'])
def test_what_is_no_contract_is_told_by_its_name(
    run: Run, contract: files.Contract, content: str | None
) -> None:
    if content is None:
        os.unlink(contract.path)
    else:
        contract.path.write_text(content, "utf-8")
    status, told = run()
    assert status == 1
    assert "python -m tools.contracts generate" in told
    assert (
        "no contract in contracts/" if content is None else "mangaassist-pricing.json is no contract"
    ) in told


def test_every_committed_contract_can_be_read() -> None:
    found = files.contracts()
    assert len(found) >= 9
    assert {each.provider for each in found} >= {"pricing", "returns", "catalogue"}


def test_a_verification_says_when() -> None:
    assert Verification("x", "p", "1", "2026-11-21T12:00:00Z").moment == NOW
