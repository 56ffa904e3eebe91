"""Lists of ASINs of any length over routes that take a hundred: split, asked at once, joined."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from mangaassist.resilience.together import all_or_none

T = TypeVar("T")

BATCH_LIMIT: Final = 100
"""ASINs (or series) a partner's route takes."""
_ASIN = re.compile(r"[A-Z0-9]{10}")


def parts(values: Sequence[str]) -> list[Sequence[str]]:
    """Each value once, in lists of at most ``BATCH_LIMIT``."""
    unique = list(dict.fromkeys(values))
    return [unique[start : start + BATCH_LIMIT] for start in range(0, len(unique), BATCH_LIMIT)]


async def by_asin(
    asins: Sequence[str], ask: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]]
) -> dict[str, T]:
    """What is known of ``asins``. What has no ASIN's form is not asked for; what was not asked for is not believed."""
    asked = parts([asin for asin in asins if _ASIN.fullmatch(asin)])
    answers = await all_or_none([ask(part) for part in asked])
    return {
        asin: answer[asin]
        for part, answer in zip(asked, answers, strict=True)
        for asin in part
        if asin in answer
    }
