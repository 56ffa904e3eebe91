"""The sale calendar: which windows are open at a moment, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from mangaassist.capacity.calendar import (
    BUSINESS_HOURS,
    SaleCalendar,
    expected_concurrency,
    sale_calendar,
)
from tests.unit.capacity.fakes import at


def calendar(*events: dict[str, object], business_hours: dict[str, object] | None = None) -> SaleCalendar:
    return SaleCalendar.model_validate(
        {"version": "t", "lead_minutes": 15, "business_hours": business_hours, "events": events}
    )


def event(name: str, starts: str, ends: str, concurrency: int = 100) -> dict[str, object]:
    return {
        "id": name,
        "name": name,
        "starts_at": at(starts),
        "ends_at": at(ends),
        "expected_concurrency": concurrency,
    }


@pytest.mark.req("CAP-1")
@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("11-26 14:44", False),
        ("11-26 14:45", True),
        ("11-26 15:00", True),
        ("11-29 14:59", True),
        ("11-29 15:00", False),
    ],
)
def test_black_friday_is_open_from_a_quarter_of_an_hour_before_it(moment: str, is_open: bool) -> None:
    # 27 November, midnight in Japan, is 15:00 UTC on the 26th.
    windows = sale_calendar().open_windows(at(moment), business_hours=False)
    assert ["black-friday-2026"] * is_open == [window.id for window in windows]


@pytest.mark.req("CAP-1")
@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("11-24 01:44", False),
        ("11-24 01:45", True),  # 10:45 in Japan
        ("11-24 11:59", True),
        ("11-24 12:00", False),  # 21:00 in Japan
        ("11-24 23:50", False),
    ],
)
def test_business_hours_are_eleven_to_nine_in_japan(moment: str, is_open: bool) -> None:
    assert [BUSINESS_HOURS] * is_open == [window.id for window in sale_calendar().open_windows(at(moment))]


def test_business_hours_whose_lead_reaches_into_the_day_before() -> None:
    hours = {"opens_utc": "00:00", "closes_utc": "10:00", "note": "", "expected_concurrency": 5}
    windows = calendar(business_hours=hours).open_windows(at("11-24 23:45"))
    assert [window.starts_at for window in windows] == [at("11-25 00:00")]


def test_overlapping_sales_ask_for_the_larger_and_not_for_the_sum() -> None:
    both = calendar(
        event("a", "12-01 10:00", "12-01 14:00", 100), event("b", "12-01 12:00", "12-01 13:00", 300)
    )
    wanted = {
        moment: expected_concurrency(both.open_windows(at(moment)))
        for moment in ("12-01 11:00", "12-01 12:30", "12-01 13:00", "12-01 14:00")
    }
    assert list(wanted.values()) == [100, 300, 100, 0]


def test_a_forced_event_is_open_before_its_time_but_not_after() -> None:
    only = calendar(event("a", "12-01 10:00", "12-01 14:00"))
    forced = {"a": at("12-01 06:00")}
    assert only.open_windows(at("12-01 06:00"), forced=forced)
    assert not only.open_windows(at("12-01 06:00") - timedelta(minutes=1), forced=forced)
    assert not only.open_windows(at("12-01 14:00"), forced=forced)


@pytest.mark.parametrize(
    "broken",
    [
        event("a", "12-01 14:00", "12-01 10:00"),
        event("a", "12-01 10:02", "12-01 14:00"),
        event(BUSINESS_HOURS, "12-01 10:00", "12-01 14:00"),
        {**event("a", "12-01 10:00", "12-01 14:00"), "starts_at": "2026-12-01T10:00:00"},
        {**event("a", "12-01 10:00", "12-01 14:00"), "expected_concurrency": 0},
        {**event("a", "12-01 10:00", "12-01 14:00"), "colour": "red"},
    ],
    ids=["ends-first", "between-ticks", "reserved-id", "no-zone", "nobody-comes", "unknown-field"],
)
def test_a_calendar_that_makes_no_sense_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        calendar(broken)


def test_an_id_stands_once() -> None:
    same = event("a", "12-01 10:00", "12-01 14:00")
    with pytest.raises(ValidationError, match="stand twice"):
        calendar(same, same)
