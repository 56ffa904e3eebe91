"""The promotions service: what is reduced now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import Field

from mangaassist.adapters.partner_batches import parts
from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.adapters.partner_wire import Instant, Wire, is_id
from mangaassist.resilience.together import all_or_none
from mangaassist.store.facts import Promotion

DEPENDENCY: Final = "promotions"


class _Title(Wire):
    en: str
    ja: str


class _Promotion(Wire):
    promotion_id: str
    title: _Title
    percent_off: Annotated[int, Field(ge=0, le=100)]
    starts_at: Instant
    ends_at: Instant
    series_ids: tuple[str, ...]
    code: str | None
    applied: str | None = None


class _Promotions(Wire):
    promotions: tuple[_Promotion, ...]


def _now() -> datetime:
    return datetime.now(UTC)


class HttpPromotions:
    """``Promotions`` over HTTP."""

    def __init__(self, http: PartnerHttp, *, now: Callable[[], datetime] = _now) -> None:
        """``now`` has a time zone."""
        self._http, self._now = http, now

    async def running(self, *, series_ids: Sequence[str] = (), deadline_ms: int) -> tuple[Promotion, ...]:
        """Promotions that run now; only those that concern one of ``series_ids``, where any are named.

        What was not asked for is not believed: a service that ignores a parameter must not bring back what is over.
        """
        known = [series_id for series_id in series_ids if is_id(series_id)]
        if series_ids and not known:
            return ()
        now = self._now().astimezone(UTC).replace(microsecond=0)
        moment, wanted = now.strftime("%Y-%m-%dT%H:%M:%SZ"), frozenset(known)

        async def ask(part: Sequence[str]) -> _Promotions:
            return await self._http.get(
                DEPENDENCY,
                "/promotions/v1/promotions",
                _Promotions,
                [("active_at", moment), *(("series_id", series_id) for series_id in part)],
                deadline_ms=deadline_ms,
            )

        answers = await all_or_none([ask(part) for part in parts(known) or [()]])
        found = {
            wire.promotion_id: _promotion(wire)
            for answer in answers
            for wire in answer.promotions
            if datetime.fromisoformat(wire.starts_at) <= now < datetime.fromisoformat(wire.ends_at)
            and not (wanted and wire.series_ids and wanted.isdisjoint(wire.series_ids))
        }
        return tuple(found.values())


def _promotion(wire: _Promotion) -> Promotion:
    return Promotion(
        promotion_id=wire.promotion_id,
        title_en=wire.title.en,
        title_ja=wire.title.ja,
        percent_off=wire.percent_off,
        starts_at=wire.starts_at,
        ends_at=wire.ends_at,
        series_ids=wire.series_ids,
        code=wire.code,
        at_checkout=wire.applied == "checkout",
    )
