"""Promotions: what is reduced, from when until when, and the administrator's changes."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import delete, exists, or_, select

from services.partners.database.models import Promotion, PromotionSeries, Series
from services.partners.problems import Problem, declared, not_found
from services.partners.schemas import (
    ID_PATTERN,
    Answer,
    Identifier,
    Instant,
    InstantText,
    Now,
    Store,
    whole_number,
)

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
    applied: Literal["checkout", "price"] = Field(
        default="checkout",
        description="`checkout`: taken off there, the pricing service's prices are before it, as always in this"
        " store. `price`: the prices have it already.",
    )


class Promotions(Answer):
    """The largest reduction first."""

    promotions: list[PromotionAnswer]


class TitleTold(BaseModel):
    """In both languages."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    en: str = Field(min_length=1, max_length=300)
    ja: str = Field(min_length=1, max_length=300)


class PromotionTold(BaseModel):
    """The whole of it: what is left out is none."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "title": {"en": "Ghost night: 20% off", "ja": "怪談の夜：20%オフ"},
                    "percent_off": 20,
                    "starts_at": "2026-11-02T00:00:00Z",
                    "ends_at": "2026-11-09T00:00:00Z",
                }
            ]
        },
    )

    title: TitleTold
    percent_off: Annotated[int, Field(ge=1, le=99), BeforeValidator(whole_number)]
    starts_at: InstantText
    ends_at: InstantText
    series_ids: list[Identifier] = Field(default=[], max_length=MOST_SERIES)
    code: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")] | None = None


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
    return Promotions(promotions=[_answer(each, series[each.promotion_id]) for each in found])


@router.put(
    "/promotions/{promotion_id}",
    responses={201: {"model": PromotionAnswer}, **declared(403, 404, 408, 409, 413)},
)
def put_promotion(
    store: Store,
    promotion_id: Annotated[str, Path(pattern=ID_PATTERN, examples=["promo-ghost-night"])],
    told: PromotionTold,
    response: Response,
) -> PromotionAnswer:
    """Lay out a promotion, or replace one (administrator); one that has ended is over, and stays known."""
    starts_at, ends_at = _moment(told.starts_at), _moment(told.ends_at)
    if ends_at <= starts_at:
        raise Problem(409, "ends_at is not after starts_at: send a later one", kind="ends-before-it-starts")
    series_ids = sorted(set(told.series_ids))
    with store.write() as session:
        known = session.scalars(select(Series.series_id).where(Series.series_id.in_(series_ids))).all()
        if len(known) < len(series_ids):
            raise not_found("series")
        promotion = session.get(Promotion, promotion_id)
        if promotion is None:
            promotion = Promotion(promotion_id=promotion_id)
            session.add(promotion)
            response.status_code = 201
        promotion.title_en, promotion.title_ja = told.title.en, told.title.ja
        promotion.percent_off, promotion.code = told.percent_off, told.code
        promotion.starts_at, promotion.ends_at = starts_at, ends_at
        session.flush()
        session.execute(delete(PromotionSeries).where(PromotionSeries.promotion_id == promotion_id))
        session.add_all(PromotionSeries(promotion_id=promotion_id, series_id=each) for each in series_ids)
        return _answer(promotion, series_ids)


def _moment(at: object) -> datetime:
    assert isinstance(at, datetime)  # InstantText is one, once validated
    return at.replace(microsecond=0)


def _answer(promotion: Promotion, series_ids: list[str]) -> PromotionAnswer:
    return PromotionAnswer(
        promotion_id=promotion.promotion_id,
        title=Title(en=promotion.title_en, ja=promotion.title_ja),
        percent_off=promotion.percent_off,
        starts_at=promotion.starts_at,
        ends_at=promotion.ends_at,
        series_ids=series_ids,
        code=promotion.code,
    )
