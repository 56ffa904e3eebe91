"""``mangactl catalogue`` against a real server."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import typer

from services.catalogue.tokens import Position, resume_token
from tests.functional.catalogue.conftest import Stores, stores
from tests.functional.catalogue_service.conftest import Running, record, running, serve, write
from tests.functional.models.conftest import free_port
from tools.mangactl import catalogue_commands, cli

__all__ = ["running", "serve", "stores"]

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    # The tests of these commands do not depend on where they are put together.
    app = typer.Typer(rich_markup_mode=None)
    app.add_typer(catalogue_commands.app, name="catalogue")
    monkeypatch.setattr(cli, "app", app)
    monkeypatch.delenv("CATALOGUE_TARGET", raising=False)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        return cli.main(("catalogue", *arguments)), *capsys.readouterr()

    return run


@pytest.fixture
def target(running: Running, monkeypatch: pytest.MonkeyPatch) -> str:
    return running.target


def test_books_by_asin(run: Run, target: str) -> None:
    status, out, error = run("get", "B000001002", "B0NOWHERE0", "--target", target)
    assert status == 0, error
    assert "Uzumaki, Vol. 2" in out
    assert "unknown: B0NOWHERE0" in error
    status, out, _ = run("get", "B000001002", "B0NOWHERE0", "--target", target, "--json")
    document = json.loads(out)
    assert (status, document["products"][0]["volume"], document["unknown_asins"]) == (0, 2, ["B0NOWHERE0"])


def test_none_of_them_is_a_failure(run: Run, target: str) -> None:
    status, _, error = run("get", "B0NOWHERE0", "--target", target)
    assert (status, "none of these ASINs" in error) == (1, True)


def test_more_than_the_limit_is_a_wrong_argument(run: Run, target: str) -> None:
    status, _, error = run("get", *(f"B9{number:08d}" for number in range(1_001)), "--target", target)
    assert (status, "at most 1000" in error) == (2, True)


@pytest.mark.req("CAT-1")
def test_finding_by_a_japanese_title(run: Run, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOGUE_TARGET", target)
    status, out, error = run("find", "--title", "うずまき")
    assert (status, "B000001001" in out) == (0, True), error
    status, out, _ = run("find", "--series", "MG00001", "--limit", "1", "--json")
    page = json.loads(out)
    _, out, error = run("find", "--series", "MG00001", "--page-token", page["next_page_token"])
    assert (status, "Vol. 2" in out, "Vol. 1" in out) == (0, True, False), error
    status, out, _ = run("find", "--genre", "nothing")
    assert (status, out.strip()) == (0, "nothing found")


@pytest.mark.parametrize(
    "arguments",
    [(), ("--title", "a", "--genre", "b"), ("--title", " "), ("--genre", "b", "--page-token", "x")],
)
def test_a_search_that_means_nothing_is_a_wrong_argument(
    run: Run, target: str, arguments: tuple[str, ...]
) -> None:
    status, _, error = run("find", *arguments, "--target", target)
    assert (status, error.count("\n")) == (2, 1), error


def test_nobody_there_says_where_to_look(run: Run) -> None:
    status, _, error = run("get", "B000001001", "--target", f"127.0.0.1:{free_port()}")
    assert (status, "does not answer: see `mangactl twin status`" in error) == (4, True), error
    status, _, error = run("get", "B000001001", "--target", "nonsense")
    assert (status, "is no HOST:PORT" in error) == (2, True)


def test_changes_are_shown_until_the_service_goes(
    run: Run, running: Running, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = catalogue_commands._show_change
    count = 0

    def then(change: object, *, as_json: bool) -> None:
        nonlocal count
        shown(change, as_json=as_json)
        count += 1
        if count == 1:
            write(stores, record(11))
        else:
            running.run(running.server._follower.close())

    monkeypatch.setattr(catalogue_commands, "_show_change", then)
    status, out, error = run("watch", "--target", running.target, "--json")
    lines = [json.loads(line) for line in out.splitlines() if "series_ids" in line]
    assert [line["series_ids"] for line in lines] == [[], ["MG00011"]]
    assert status == 4, error
    assert "going away" in out + error


def test_a_watch_with_a_token_that_is_too_old(run: Run, target: str) -> None:
    status, _, error = run("watch", "--target", target, "--resume-token", resume_token(Position("gone", 3)))
    assert (status, "watch without one" in error) == (1, True)
    status, _, error = run("watch", "--target", target, "--resume-token", "x")
    assert (status, "unchanged" in error) == (2, True)


@pytest.mark.req("CAT-1")
def test_the_server_says_what_it_serves(run: Run, target: str) -> None:
    status, out, error = run("services", "--target", target, "--json")
    assert status == 0, error
    found = json.loads(out)["services"]
    assert found["mangaassist.catalogue.v1.CatalogueService"] == [
        "GetProducts",
        "FindProducts",
        "GetSeries",
        "WatchChanges",
    ]
    assert {"grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"} <= set(found)
    status, out, _ = run("services", "--target", target)
    assert (status, "WatchChanges" in out) == (0, True)


def test_services_of_nobody(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalogue_commands, "DEADLINE_MS", 200)
    status, _, error = run("services", "--target", f"127.0.0.1:{free_port()}")
    assert (status, "does not answer" in error) == (4, True), error
