"""A release's life on prod's templates: over the release before, back when it fails, and away at the end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import free_port_base
from tools.mangactl.lifecycle_rehearsals import ENVIRONMENT, LifecycleRehearsal
from tools.twin.layout import Layout


@pytest.fixture(scope="module")
def upgraded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LifecycleRehearsal]:
    """The release before with data in it, and this one over it."""
    layout = Layout(tmp_path_factory.mktemp("lifecycle"), free_port_base(), ENVIRONMENT)
    rehearsal = LifecycleRehearsal(layout, print)
    try:
        rehearsal.upgrade()
        yield rehearsal
    finally:
        rehearsal.end()


@pytest.mark.req("IAC-6")
def test_an_upgrade_keeps_data_and_what_operators_decided(upgraded: LifecycleRehearsal) -> None:
    assert len(upgraded.steps) >= 10


@pytest.mark.req("IAC-6")
def test_a_deployment_that_fails_is_rolled_back(upgraded: LifecycleRehearsal) -> None:
    upgraded.rollback()


@pytest.mark.req("IAC-4")
def test_what_holds_data_outlives_its_stacks_and_nothing_else_does(upgraded: LifecycleRehearsal) -> None:
    upgraded.destroy()
