"""What stands beside the answer: product cards, citations and buttons, all from data the answer was given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from mangaassist.ports import Chunk
from mangaassist.protocol import Citation, Money, ProductCard, Rating

MINIMUM_CARDS = 3
"""A shopper who asked for ideas sees at least this many, when the catalogue has them."""
MAXIMUM_CARDS = 5

_MARK = re.compile(r"\[(\d{1,2})\]")


def cited(text: str, chunks: Sequence[Chunk]) -> list[int]:
    """The chunk numbers (from 1) the text cites, in order, each once; marks without a chunk are dropped."""
    numbers = (int(mark) for mark in _MARK.findall(text))
    return list(dict.fromkeys(number for number in numbers if 1 <= number <= len(chunks)))


def citations(text: str, chunks: Sequence[Chunk]) -> tuple[Citation, ...]:
    """Title and link behind each ``[n]`` of the text."""
    return tuple(
        Citation(index=number, title=chunks[number - 1].title, url=chunks[number - 1].url)
        for number in cited(text, chunks)
    )


def cards(text: str, chunks: Sequence[Chunk], *, fill: bool) -> tuple[ProductCard, ...]:
    """Cards for what the text cites; with ``fill``, topped up with the next nearest to ``MINIMUM_CARDS``."""
    order = [chunks[number - 1] for number in cited(text, chunks)]
    if fill or not order:
        order += [chunk for chunk in chunks if chunk not in order][: max(0, MINIMUM_CARDS - len(order))]
    found = (card(chunk) for chunk in order)
    return tuple(one for one in found if one is not None)[:MAXIMUM_CARDS]


def card(chunk: Chunk) -> ProductCard | None:
    """The card of a chunk's offer; ``None`` when the index holds nothing to sell."""
    offer = chunk.facts.get("offer")
    if not isinstance(offer, Mapping):
        return None
    known = cast("Mapping[str, Any]", offer)
    facts = cast("Mapping[str, Any]", chunk.facts)
    currency = known.get("currency", "USD")
    average, count = known.get("rating_average"), known.get("rating_count")
    list_price = known.get("list_price")
    return ProductCard(
        asin=str(known["asin"]),
        series_id=chunk.series_id,
        title=str(known["title"]),
        title_ja=facts.get("title_ja") or None,
        creators=list(facts.get("creators") or []),
        genres=list(facts.get("genres") or []),
        volume=known.get("volume"),
        price=Money(amount=str(known["price"]), currency=currency),
        list_price=Money(amount=str(list_price), currency=currency) if list_price else None,
        in_stock=bool(known["in_stock"]),
        url=chunk.url,
        rating=Rating(average=float(average), count=int(count)) if average and count else None,
    )
