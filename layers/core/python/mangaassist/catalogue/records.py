"""The catalogue feed at the border: one series a line, checked field by field before anything else sees it."""

from __future__ import annotations

import unicodedata
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

MAXIMUM_LINE_BYTES: Final = 1024 * 1024
"""A line over this is not a series; a thousand volumes take about 200 KB."""


class RejectedLine(ValueError):
    """A feed line cannot be used; ``reason`` says what to mend and repeats nothing of the line but field names."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


UNPRINTABLE: Final = frozenset({"Cc", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that no title holds: controls, surrogates, private and unassigned code points, line breaks."""


def _printable(text: str) -> str:
    # isprintable() is the quick answer; it refuses the ideographic space, so the exact one follows.
    broken = not text.isprintable() and any(unicodedata.category(letter) in UNPRINTABLE for letter in text)
    if broken or text != text.strip():
        raise ValueError("must be one line of printable text without outer spaces")
    return text


Text = Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_printable)]
LongText = Annotated[str, Field(min_length=1, max_length=2_000), AfterValidator(_printable)]
Term = Annotated[str, Field(min_length=1, max_length=60), AfterValidator(_printable)]
Price = Annotated[str, Field(pattern=r"^(0|[1-9]\d{0,4})\.\d{2}$")]
"""Decimal text, because a price is never a float."""
Asin = Annotated[str, Field(pattern=r"^[A-Z0-9]{10}$")]
SeriesId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$")]


class FeedModel(BaseModel):
    """Closed, immutable and strict: a feed that drifts is noticed at the first line."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Titles(FeedModel):
    """``en`` is the display title: English where there is one, else romaji."""

    en: Text
    romaji: Text
    ja: Text | None = None


class Creator(FeedModel):
    """``name`` as English editions print it; ``also_written`` is another romanisation people search by."""

    name: Text
    name_ja: Text | None = None
    role: Literal["story_and_art", "story", "art"]
    also_written: Text | None = None


class Description(FeedModel):
    """Composed from the facts of the record, in both languages."""

    en: LongText
    ja: LongText


class FeedRating(FeedModel):
    """Average of 1-5 stars over ``count`` ratings."""

    average: Annotated[float, Field(ge=1, le=5)]
    count: Annotated[int, Field(ge=0)]


class Volume(FeedModel):
    """One sellable book. ``synthetic`` says that ASIN, price and stock are invented."""

    asin: Asin
    volume: Annotated[int, Field(ge=1, le=1_000)]
    title: Text
    price: Price
    list_price: Price | None = None
    currency: Literal["USD"]
    stock: Annotated[int, Field(ge=0, le=1_000_000)]
    synthetic: bool

    @model_validator(mode="after")
    def _list_price_is_the_higher(self) -> Self:
        if self.list_price is not None and _cents(self.list_price) < _cents(self.price):
            raise ValueError("list_price is below price")
        return self


class SeriesRecord(FeedModel):
    """One series with everything the shop sells of it."""

    series_id: SeriesId
    type: Literal["manga", "one_shot", "manhwa", "manhua"]
    titles: Titles
    creators: Annotated[list[Creator], Field(min_length=1, max_length=60)]
    year: Annotated[int, Field(ge=1900, le=2100)]
    status: Literal["finished", "publishing", "hiatus", "discontinued"]
    volume_count: Annotated[int, Field(ge=1, le=1_000)]
    volume_count_source: Literal["stated", "synthetic"]
    genres: Annotated[list[Term], Field(max_length=20)]
    genres_source: Annotated[str, Field(pattern=r"^(stated|none|rule:[a-z0-9-]+)$")]
    themes: Annotated[list[Term], Field(max_length=20)] = []
    demographics: Annotated[list[Term], Field(max_length=5)] = []
    publisher: Text | None = None
    publisher_ja: Text | None = None
    magazine: Text | None = None
    magazine_ja: Text | None = None
    mature: bool = False
    description: Description
    rating: FeedRating
    volumes: Annotated[list[Volume], Field(max_length=1_000)]

    @model_validator(mode="after")
    def _volumes_are_distinct(self) -> Self:
        if len({volume.asin for volume in self.volumes}) < len(self.volumes):
            raise ValueError("two volumes share an ASIN")
        if len({volume.volume for volume in self.volumes}) < len(self.volumes):
            raise ValueError("two volumes share a number")
        return self

    @model_validator(mode="after")
    def _genres_have_a_source(self) -> Self:
        if bool(self.genres) != (self.genres_source != "none"):
            raise ValueError("genres_source must be none exactly when there are no genres")
        return self


def read_line(line: bytes) -> SeriesRecord:
    """One line of the feed.

    Raises:
        RejectedLine: with the reason, which names fields and rules and never repeats the line.
    """
    if len(line) > MAXIMUM_LINE_BYTES:
        raise RejectedLine(f"the line has more than {MAXIMUM_LINE_BYTES} bytes")
    try:
        line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RejectedLine(f"the line is not UTF-8 (byte {error.start})") from None
    try:
        return SeriesRecord.model_validate_json(line)
    except ValidationError as error:
        raise RejectedLine(_explain(error)) from None


def _explain(error: ValidationError) -> str:
    problems = error.errors(include_url=False, include_input=False, include_context=False)
    first = problems[0]
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    if first["type"] == "json_invalid":
        return "the line is not one JSON object"
    if first["type"] == "extra_forbidden":
        # The last step of the path is the stranger's own key: content, so it is not repeated.
        return f"{_place(first['loc'][:-1])} has a field the feed does not know{more}"
    return f"{_place(first['loc'])}: {first['msg'].removeprefix('Value error, ')}{more}"


def _place(location: tuple[Any, ...]) -> str:
    return ".".join(str(part) for part in location) or "record"


def _cents(price: str) -> int:
    return int(price.replace(".", ""))
