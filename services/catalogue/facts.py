"""Series and volumes as the service holds them, read from the items that ingest writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

from google.protobuf.message import Message

from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb

M = TypeVar("M", bound=Message)

STATUSES: Final[Mapping[str, pb.SeriesStatus]] = {
    name.removeprefix("SERIES_STATUS_").lower(): cast("pb.SeriesStatus", number)
    for name, number in pb.SeriesStatus.items()
    if number
}


@dataclass(frozen=True, slots=True)
class Volume:
    """One sellable book, without what its series says."""

    asin: str
    series_id: str
    number: int
    title: str


@dataclass(frozen=True, slots=True)
class Series:
    """One series; ``listed`` is the ASINs the feed last named, by volume, or ``None`` where its item does not say."""

    message: pb.Series
    listed: tuple[str, ...] | None

    @property
    def series_id(self) -> str:
        """Its id."""
        return self.message.series_id

    @property
    def standing(self) -> tuple[int, int]:
        """What orders equally good matches: more ratings first, then better ones; smaller is better."""
        return -self.message.rating.count, -round(self.message.rating.average * 100)


def plain(attribute: Mapping[str, Any]) -> Any:
    """A value of DynamoDB's typed JSON as plain Python; numbers as int or float."""
    ((kind, value),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return float(value) if "." in value or "e" in value.lower() else int(value)
        case "L":
            return [plain(each) for each in value]
        case "M":
            return {name: plain(each) for name, each in value.items()}
        case _:
            return None


def volume_of(item: Mapping[str, Any]) -> Volume:
    """The volume in a product item."""
    return Volume(
        asin=item["asin"]["S"],
        series_id=item["series_id"]["S"],
        number=int(item["volume"]["N"]),
        title=item["title"]["S"],
    )


def series_of(item: Mapping[str, Any]) -> Series:
    """The series in a series item."""
    facts = {name: plain(value) for name, value in item.items()}
    asins = facts.get("asins")
    message = pb.Series(
        series_id=facts["series_id"],
        titles=_known(pb.Titles, facts["titles"]),
        creators=[_known(pb.Creator, creator) for creator in facts["creators"]],
        type=facts["type"],
        year=facts["year"],
        status=STATUSES.get(facts["status"], pb.SERIES_STATUS_UNSPECIFIED),
        volume_count=facts["volume_count"],
        genres=facts["genres"],
        themes=facts.get("themes", ()),
        demographics=facts.get("demographics", ()),
        publisher=facts.get("publisher"),
        publisher_ja=facts.get("publisher_ja"),
        mature=facts.get("mature", False),
        description=_known(pb.Description, facts["description"]),
        rating=_known(pb.Rating, facts["rating"]),
        asins=asins or (),
    )
    return Series(message, None if asins is None else tuple(asins))


def _known(kind: type[M], facts: Mapping[str, Any]) -> M:
    """A message of those facts it has a field for: ingest may write more than this server knows of."""
    fields = kind.DESCRIPTOR.fields_by_name
    return kind(**{name: value for name, value in facts.items() if name in fields})


def product(volume: Volume, series: Series) -> pb.Product:
    """What the service says about a book."""
    about = series.message
    return pb.Product(
        asin=volume.asin,
        series_id=volume.series_id,
        title=volume.title,
        series_title=about.titles.en,
        series_title_ja=about.titles.ja or None,
        volume=volume.number,
        creators=[creator.name for creator in about.creators],
        genres=about.genres,
        publisher=about.publisher or None,
        status=about.status,
        mature=about.mature,
        buyable=series.listed is None or volume.asin in series.listed,
        creators_ja=[creator.name_ja for creator in about.creators if creator.name_ja],
        year=about.year,
        volume_count=about.volume_count,
        demographics=about.demographics,
    )
