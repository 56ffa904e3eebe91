"""Amazon Personalize's runtime: campaigns or domain recommenders, by ARN; item ids are ASINs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any, Final, cast

from mangaassist.adapters.errors import translated
from mangaassist.errors import DependencyError
from mangaassist.resilience.breaker import RequestRefused
from mangaassist.resilience.guarded import Guarded
from mangaassist.resilience.retrying import Retrying

DEPENDENCY: Final = "personalize"
THREADS: Final = 8
"""Twice what one question asks at once: three titles' like and one shopper's."""
MOST_RESULTS: Final = 500
"""What GetRecommendations returns at most."""
FILTER_PARAMETER: Final = "GENRES"
"""Of the filter: ``INCLUDE ItemID WHERE Items.GENRES IN ($GENRES)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Campaigns:
    """ARNs; what is absent is never asked."""

    user: str | None = None
    """Of a campaign (recipe USER_PERSONALIZATION) or recommender that knows titles for a shopper."""
    similar: str | None = None
    """Of one that knows titles like a title (recipe RELATED_ITEMS)."""
    genre_filter: str | None = None
    """Of a filter with the parameter ``GENRES``; without one answers are of any genre."""
    genre_context: str | None = None
    """Name of a contextual field with the genre asked for, if the campaign's data has one: it tells about new shoppers."""


class PersonalizeRuntime:
    """``client`` is a personalize-runtime client that tries once: ``guarded`` repeats, within the deadline."""

    def __init__(self, client: Any, campaigns: Campaigns, guarded: Guarded | None = None) -> None:
        # A fallback is at hand, and it is quicker than a second attempt.
        self._client, self._campaigns = client, campaigns
        self._guarded = guarded or Guarded(Retrying(attempts=1))
        # A call that hangs keeps its thread until the client gives up. The loop's own few threads ask for the embedding
        # and post the frames: suggestions must not take them, nor hold up the loop's end.
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix=DEPENDENCY)

    async def for_user(
        self, user_id: str, *, limit: int, genres: Sequence[str] = (), deadline_ms: int
    ) -> tuple[str, ...]:
        """Titles for a shopper, known or not; an anonymous session's id makes a shopper, too."""
        arn = self._campaigns.user
        if arn is None:
            return ()
        request: dict[str, Any] = {"userId": user_id}
        if genres and self._campaigns.genre_filter is not None:
            request["filterArn"] = self._campaigns.genre_filter
            request["filterValues"] = {FILTER_PARAMETER: ",".join(f'"{genre}"' for genre in genres)}
        if genres and self._campaigns.genre_context is not None:
            request["context"] = {self._campaigns.genre_context: "|".join(genres)}
        return await self._ask(arn, request, limit, deadline_ms)

    async def similar_to(self, asin: str, *, limit: int, deadline_ms: int) -> tuple[str, ...]:
        """Titles like a title."""
        arn = self._campaigns.similar
        return () if arn is None else await self._ask(arn, {"itemId": asin}, limit, deadline_ms)

    async def _ask(self, arn: str, request: dict[str, Any], limit: int, deadline_ms: int) -> tuple[str, ...]:
        if limit < 1:
            raise ValueError("limit is a whole number from 1")
        member = "recommenderArn" if ":recommender/" in arn else "campaignArn"
        asked = {member: arn, **request, "numResults": min(limit, MOST_RESULTS)}

        async def attempt(_: float) -> tuple[str, ...]:
            working = self._threads.submit(copy_context().run, self._get, asked)
            return await asyncio.wrap_future(working)

        return (await self._guarded.call(DEPENDENCY, attempt, deadline_ms=deadline_ms))[:limit]

    def _get(self, asked: dict[str, Any]) -> tuple[str, ...]:
        try:
            with translated(DEPENDENCY):
                answer = self._client.get_recommendations(**asked)
        except UnicodeDecodeError as error:
            # The SDK lets it through where a body is no text at all.
            raise DependencyError(DEPENDENCY, "unreadable response") from error
        except DependencyError as error:
            if error.reason == "InvalidInputException":
                # Of this shopper or title; the next one may be asked for.
                raise RequestRefused(DEPENDENCY, error.reason) from error
            raise
        items = cast("dict[str, object]", answer).get("itemList")
        if not isinstance(items, list):
            raise DependencyError(DEPENDENCY, "unreadable response")
        found: dict[str, None] = {}
        for item in cast("list[object]", items):
            asin = cast("dict[str, object]", item).get("itemId") if isinstance(item, dict) else None
            if not isinstance(asin, str) or not asin:
                raise DependencyError(DEPENDENCY, "unreadable response")
            found[asin] = None
        return tuple(found)
