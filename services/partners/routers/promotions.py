"""Promotions: what is reduced, from when until when."""

from __future__ import annotations

from collections import defaultdict
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import exists, or_, select

from services.partners.database.models import Promotion, PromotionSeries
from services.partners.problems import declared
from services.partners.schemas import Answer, Identifier, Instant, InstantText, Now, Store

router = APIRouter(prefix="/promotions/v1", tags=["promotions"])

MOST_SERIES = 100


class Title(Answer):
    """In both languages."""

    en: str
    ja: str


class PromotionAnswer(Answer):
    """A reduction; empty `series_ids` means everything, `ends_at` itself is outside."""

    promotion_id: str = Field(examples=["promo-best-loved"])
    title: Title
    percent_off: int = Field(ge=1, le=99)
    starts_at: Instant
    ends_at: Instant
    series_ids: list[str]
    code: str | None = Field(description="To be typed at checkout, where there is one.", examples=["LOVED10"])


class Promotions(Answer):
    """The largest reduction first."""

    promotions: list[PromotionAnswer]


@router.get("/promotions", responses=declared())
def get_promotions(
    store: Store,
    now: Now,
    active_at: Annotated[
        InstantText | None, Query(description="Those that run at this moment; now where it is left out.")
    ] = None,
    series_id: Annotated[
        list[Identifier],
        Query(
            max_length=MOST_SERIES,
            description="Those for one of these series, or for everything; repeat the parameter for several.",
        ),
    ] = [],  # noqa: B006 - FastAPI copies it
) -> Promotions:
    """What is reduced at a moment."""
    at = now if active_at is None else active_at
    statement = (
        select(Promotion)
        .where(Promotion.starts_at <= at, Promotion.ends_at > at)
        .order_by(Promotion.percent_off.desc(), Promotion.promotion_id)
    )
    if series_id:
        of_it = PromotionSeries.promotion_id == Promotion.promotion_id
        statement = statement.where(
            or_(
                exists().where(of_it, PromotionSeries.series_id.in_(series_id)),
                ~exists().where(of_it),
            )
        )
    with store.read() as session:
        found = session.scalars(statement).all()
        members = session.execute(
            select(PromotionSeries.promotion_id, PromotionSeries.series_id)
            .where(PromotionSeries.promotion_id.in_([each.promotion_id for each in found]))
            .order_by(PromotionSeries.series_id)
        ).all()
    series: defaultdict[str, list[str]] = defaultdict(list)
    for promotion_id, member in members:
        series[promotion_id].append(member)
    return Promotions(
        promotions=[
            PromotionAnswer(
                promotion_id=each.promotion_id,
                title=Title(en=each.title_en, ja=each.title_ja),
                percent_off=each.percent_off,
                starts_at=each.starts_at,
                ends_at=each.ends_at,
                series_ids=series[each.promotion_id],
                code=each.code,
            )
            for each in found
        ]
    )
