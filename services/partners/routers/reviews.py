"""Reviews: stars, pooled over the volumes of a series, and words."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import func, select

from services.partners.database.models import Product, Review, StarCount
from services.partners.paging import (
    LimitQuery,
    PageTokenQuery,
    Position,
    decode,
    newest_first,
    next_page_token,
)
from services.partners.problems import declared, not_found
from services.partners.schemas import Answer, AsinPath, AsinsQuery, Instant, Store, each_once

router = APIRouter(prefix="/reviews/v1", tags=["reviews"])


class Summary(Answer):
    """Average of 1 to 5 stars over all `count` ratings of the series, with words or without."""

    asin: str
    average: float = Field(
        ge=0, le=5, description="To one decimal; 0 while nobody has rated it.", examples=[4.6]
    )
    count: int = Field(ge=0)


class Summaries(Answer):
    """Those that are known, in the order asked, and the ASINs of those that are not."""

    summaries: list[Summary]
    unknown_asins: list[str]


class ReviewAnswer(Answer):
    """A rating with words; `asin` is the volume it was written for."""

    review_id: str = Field(examples=["review-000001"])
    asin: str
    stars: int = Field(ge=1, le=5)
    language: Literal["en", "ja"]
    text: str
    verified_purchase: bool = Field(description="Written by somebody who bought it here.")
    written_at: Instant


class Reviews(Answer):
    """Newest first."""

    reviews: list[ReviewAnswer]
    next_page_token: str = Field(description="Empty at the end.")


@router.get("/summaries", responses=declared())
def get_summaries(store: Store, asin: AsinsQuery) -> Summaries:
    """Stars of up to 100 books. The volumes of a series share their ratings."""
    asked = each_once(asin)
    statement = (
        select(Product.asin, func.sum(StarCount.stars * StarCount.count), func.sum(StarCount.count))
        .join(StarCount, StarCount.series_id == Product.series_id)
        .where(Product.asin.in_(asked))
        .group_by(Product.asin)
    )
    with store.read() as session:
        found = {each: (int(stars), int(count)) for each, stars, count in session.execute(statement)}
    return Summaries(
        summaries=[
            Summary(asin=each, average=average(*found[each]), count=found[each][1])
            for each in asked
            if each in found
        ],
        unknown_asins=[each for each in asked if each not in found],
    )


@router.get("/products/{asin}/reviews", responses=declared(400, 404))
def get_reviews(
    store: Store, asin: AsinPath, limit: LimitQuery = 20, page_token: PageTokenQuery = ""
) -> Reviews:
    """What was written about a book's series, newest first. All of it is synthetic."""
    of_list = ("reviews", asin)
    position = decode(of_list, page_token)
    with store.read() as session:
        product = session.get(Product, asin)
        if product is None:
            raise not_found("product")
        statement = select(Review).where(Review.series_id == product.series_id)
        found = session.scalars(
            newest_first(statement, Review.written_at, Review.review_id, position, limit)
        ).all()
    return Reviews(
        reviews=[
            ReviewAnswer(
                review_id=review.review_id,
                asin=review.asin,
                stars=review.stars,
                language="ja" if review.language == "ja" else "en",
                text=review.text,
                verified_purchase=review.customer_id is not None,
                written_at=review.written_at,
            )
            for review in found[:limit]
        ],
        next_page_token=next_page_token(
            of_list, found, limit, lambda review: Position(review.written_at, review.review_id)
        ),
    )


def average(stars: int, count: int) -> float:
    """Stars by ratings, to one decimal."""
    return round(stars / count, 1) if count else 0.0
