"""The reviews service: stars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

from pydantic import Field

from mangaassist.adapters.partner_batches import by_asin
from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.adapters.partner_wire import Asin, Count, Wire
from mangaassist.store.facts import RatingSummary

DEPENDENCY: Final = "reviews"


class _Summary(Wire):
    asin: Asin
    average: Annotated[float, Field(ge=0, le=5)]
    count: Count


class _Summaries(Wire):
    summaries: tuple[_Summary, ...]


class HttpReviews:
    """``Reviews`` over HTTP."""

    def __init__(self, http: PartnerHttp) -> None:
        self._http = http

    async def ratings(self, asins: Sequence[str], *, deadline_ms: int) -> dict[str, RatingSummary]:
        """The stars of those ``asins`` that anybody rated."""

        async def ask(part: Sequence[str]) -> dict[str, RatingSummary]:
            answer = await self._http.get(
                DEPENDENCY,
                "/reviews/v1/summaries",
                _Summaries,
                [("asin", asin) for asin in part],
                deadline_ms=deadline_ms,
            )
            return {
                wire.asin: RatingSummary(wire.asin, wire.average, wire.count)
                for wire in answer.summaries
                # An average over nobody is no fact.
                if wire.count > 0
            }

        return await by_asin(asins, ask)
