"""What time it is for the capacity functions: the clock's, or in a rehearsal the event's."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from mangaassist.errors import MangaAssistError

REHEARSAL_ENVIRONMENT = "local"


class ClockRefused(MangaAssistError):
    """An event tried to move the clock where it may not, or with something that is no moment."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(why)


def now_of(event: Mapping[str, Any], environment: str) -> datetime:
    """The moment to act for: ``event["now"]`` in a rehearsal on the twin, else the real one.

    Raises:
        ClockRefused: anywhere but on the twin, whoever could invoke the function could raise or drop capacity at will.
    """
    given = event.get("now")
    if given is None:
        return datetime.now(UTC)
    if environment != REHEARSAL_ENVIRONMENT:
        raise ClockRefused(f"the clock is moved on the twin only, not in {environment}")
    try:
        moment = datetime.fromisoformat(str(given))
    except ValueError:
        raise ClockRefused(f"{given!r} is no moment: send one like 2026-11-26T14:45:00+00:00") from None
    if moment.tzinfo is None:
        raise ClockRefused(f"{given!r} has no zone: send one like 2026-11-26T14:45:00+00:00")
    return moment
