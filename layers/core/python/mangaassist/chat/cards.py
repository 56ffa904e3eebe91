"""What stands beside the answer: product cards, citations and buttons, all from data the answer was given.

The index says which products are near; what they are called, cost and are worth to readers is the services' to say.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, cast

from mangaassist.chat.shelf import Shelf
from mangaassist.ports import Chunk
from mangaassist.protocol import Citation, Money, ProductCard, Rating, Recommended
from mangaassist.store.facts import Amount, Product
from mangaassist.store.parts import CATALOGUE

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


def asin_of(chunk: Chunk) -> str | None:
    """The product a chunk stands for; ``None`` when there is nothing to sell."""
    offer = chunk.facts.get("offer")
    return str(cast("Mapping[str, Any]", offer)["asin"]) if isinstance(offer, Mapping) else None


def cards(text: str, chunks: Sequence[Chunk], shelf: Shelf, *, fill: bool) -> tuple[ProductCard, ...]:
    """Cards for what the text cites; with ``fill``, topped up with the next nearest to ``MINIMUM_CARDS``."""
    named = [chunks[number - 1] for number in cited(text, chunks)]
    found = [one for chunk in named if (one := card(chunk, shelf)) is not None]
    if fill or not named:
        rest = (card(chunk, shelf) for chunk in chunks if chunk not in named)
        found += [one for one in rest if one is not None][: max(0, MINIMUM_CARDS - len(found))]
    return tuple(found)[:MAXIMUM_CARDS]


def card(chunk: Chunk, shelf: Shelf) -> ProductCard | None:
    """The card of a chunk's product; ``None`` when it is not sold (any more).

    While the catalogue does not answer, the index's titles stand in for it, and ``degraded`` says so.
    """
    asin = asin_of(chunk)
    if asin is None:
        return None
    if CATALOGUE in shelf.missing:
        product: Product | None = _indexed(asin, chunk)
    else:
        product = shelf.products.get(asin)
    if product is None or not product.buyable:
        return None
    return product_card(product, shelf, url=chunk.url, recommended=chunk.recommended)


def product_card(
    product: Product, shelf: Shelf, *, url: str, recommended: Recommended | None = None
) -> ProductCard:
    """The card of a product, with what the shelf says about it; ``url`` is its page."""
    offer, rating = shelf.offers.get(product.asin), shelf.ratings.get(product.asin)
    return ProductCard(
        asin=product.asin,
        series_id=product.series_id,
        title=product.title,
        title_ja=product.title_ja,
        creators=list(product.creators),
        genres=list(product.genres),
        volume=product.volume,
        price=_money(offer.price) if offer else None,
        list_price=_money(offer.list_price) if offer and offer.list_price else None,
        price_as_of=offer.as_of if offer else None,
        in_stock=offer.in_stock if offer else None,
        url=url,
        rating=Rating(average=rating.average, count=rating.count) if rating and rating.count else None,
        recommended=recommended,
    )


def _money(amount: Amount) -> Money:
    return Money.model_validate({"amount": amount.value, "currency": amount.currency})


def _indexed(asin: str, chunk: Chunk) -> Product:
    facts = cast("Mapping[str, Any]", chunk.facts)
    offer = cast("Mapping[str, Any]", facts["offer"])
    return Product(
        asin=asin,
        series_id=chunk.series_id,
        title=str(offer.get("title") or chunk.title),
        series_title=chunk.title,
        title_ja=facts.get("title_ja") or None,
        volume=offer.get("volume"),
        creators=tuple(facts.get("creators") or ()),
        genres=tuple(facts.get("genres") or ()),
    )
