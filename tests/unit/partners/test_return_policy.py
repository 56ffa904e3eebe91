"""The return policy, by example and by its invariants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from services.partners.return_policy import RETURN_DAYS, Line, judge

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)
FRESH = Line("B000000001", NOW - timedelta(days=3))
LATE = Line("B000000002", NOW - timedelta(days=RETURN_DAYS, seconds=1))
OPENED = Line("B000000003", NOW - timedelta(days=3), opened_set=True)
COMING = Line("B000000004", None)
BACK = Line("B000000005", NOW - timedelta(days=3), returned=True)


@pytest.mark.parametrize(
    ("lines", "status", "reason"),
    [
        ([FRESH], "eligible", "within_return_window"),
        ([FRESH, LATE], "partially_eligible", "some_lines_not_returnable"),
        ([LATE], "ineligible", "return_window_closed"),
        ([OPENED], "ineligible", "sealed_set_opened"),
        ([COMING], "ineligible", "not_delivered"),
        ([BACK], "ineligible", "already_returned"),
        ([BACK, LATE], "ineligible", "no_line_returnable"),
    ],
)
def test_the_policy(lines: list[Line], status: str, reason: str) -> None:
    found = judge(lines, is_cancelled=False, now=NOW)
    assert (found.status, found.reason) == (status, reason)


def test_a_cancelled_order_has_nothing_to_send_back() -> None:
    found = judge([FRESH], is_cancelled=True, now=NOW)
    assert (found.status, found.reason, found.until) == ("ineligible", "order_cancelled", None)


def test_the_last_moment_is_thirty_days_after_delivery_to_the_second() -> None:
    line = Line("B000000001", NOW - timedelta(days=30))
    assert judge([line], is_cancelled=False, now=NOW).until == NOW
    assert judge([line], is_cancelled=False, now=NOW + timedelta(seconds=1)).status == "ineligible"


_lines = some.lists(
    some.builds(
        Line,
        asin=some.text("AB01", min_size=10, max_size=10),
        delivered_at=some.none()
        | some.datetimes(datetime(2026, 9, 1), datetime(2026, 11, 2)).map(lambda at: at.replace(tzinfo=UTC)),
        opened_set=some.booleans(),
        returned=some.booleans(),
    ),
    min_size=1,
    unique_by=lambda line: line.asin,
)


@given(_lines, some.booleans())
def test_status_lines_and_last_moment_agree(lines: list[Line], is_cancelled: bool) -> None:
    found = judge(lines, is_cancelled=is_cancelled, now=NOW)
    share = sum(found.lines.values()) / len(lines)
    assert found.status == ("eligible" if share == 1 else "partially_eligible" if share else "ineligible")
    assert (found.until is None) == (share == 0)
    if found.until is not None:
        assert found.until >= NOW
        assert judge(lines, is_cancelled=is_cancelled, now=found.until).status == found.status
