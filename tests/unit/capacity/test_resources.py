"""Sizing of a resource, and the registry through which another kind joins."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from mangaassist.capacity.clock import ClockRefused, now_of
from mangaassist.capacity.resources import KindRegistry, Resource, UnknownKind
from tests.unit.capacity.fakes import FakeKind

MESSAGE = Resource(
    name="message", kind="fake", address={"service": "catalogue"}, base=5, ceiling=500, concurrency_per_unit=1
)


@pytest.mark.req("CAP-1")
@pytest.mark.parametrize(
    ("concurrency", "units"), [(0, 5), (1, 5), (40, 48), (41, 50), (400, 480), (417, 500), (10_000, 500)]
)
def test_expected_concurrency_with_a_fifth_on_top(concurrency: int, units: int) -> None:
    assert MESSAGE.units(concurrency) == units


def test_sizes_that_come_in_steps() -> None:
    search = MESSAGE.model_copy(
        update={"steps": (0, 2, 4, 8, 16), "base": 2, "ceiling": 16, "concurrency_per_unit": 20.0}
    )
    assert [search.units(each) for each in (10, 50, 100, 200, 9_999)] == [2, 4, 8, 16, 16]


def test_a_base_above_the_ceiling_is_refused() -> None:
    with pytest.raises(ValidationError):
        Resource.model_validate({**MESSAGE.model_dump(), "base": 501})


@pytest.mark.req("CAP-1")
def test_another_kind_joins_by_one_line() -> None:
    opened: list[dict[str, str]] = []

    def kind(address: object) -> FakeKind:
        opened.append(dict(address))  # pyright: ignore[reportArgumentType, reportCallIssue]
        return FakeKind()

    registry = KindRegistry({"another": kind})
    catalogue = MESSAGE.model_copy(update={"kind": "another"})
    assert isinstance(registry.open(catalogue), FakeKind)
    assert opened == [{"service": "catalogue"}]
    with pytest.raises(UnknownKind, match="another"):
        registry.open(MESSAGE)


def test_the_clock_is_moved_on_the_twin_only() -> None:
    moved = now_of({"now": "2026-11-26T14:45:00+00:00"}, "local")
    assert (moved.day, moved.hour) == (26, 14)
    for environment, given in (
        ("prod", "2026-11-26T14:45:00+00:00"),
        ("local", "2026-11-26T14:45:00"),
        ("local", "soon"),
    ):
        with pytest.raises(ClockRefused):
            now_of({"now": given}, environment)
