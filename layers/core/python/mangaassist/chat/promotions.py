"""What is reduced now, told from a template: which promotions run, until when, for which series, and some of the books.

No model is asked (INT-5), so nothing is told but what the services say. The promotions service is dispensable (RES-4):
without it the answer says that it cannot see promotions; without the others it names no titles, or no prices.

Everything is asked within one budget. Each round of questions has its share of it at least: a promotions service that is
nearly late must not make the catalogue look late, whose circuit would open for every other question too.
"""

from __future__ import annotations

import asyncio
import re
import time
import unicodedata
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Final, TypeVar

from mangaassist.chat import cards
from mangaassist.chat.shelf import BUDGET_MS, Shelf
from mangaassist.guardrails.trust import suspicion, thresholds
from mangaassist.intents.plan import reply_text
from mangaassist.intents.reduced_title import title_asked_about
from mangaassist.language import Language, strip_invisible
from mangaassist.recommendations.popularity import Popularity, shipped
from mangaassist.resilience.together import all_or_none
from mangaassist.store.pages import series_page
from mangaassist.store.parts import CATALOGUE, PRICING, PROMOTIONS, REVIEWS, TRUST

if TYPE_CHECKING:
    from mangaassist.chat.shelf import Services, Shelves
    from mangaassist.chat.stopwatch import Stopwatch
    from mangaassist.protocol import ProductCard
    from mangaassist.store.facts import Amount, Offer, Product, Promotion, TrustSignals
    from mangaassist.store.ports import Products

STAGE: Final = "enrichment"
SHARES: Final = (0.6, 0.8, 1.0)
"""Of the budget, by when each round has to be over: promotions, then their series, then prices."""
MOST_TOLD: Final = 5
"""Promotions in one answer; how many more there are is said."""
MOST_NAMED: Final = 3
"""Series named per promotion."""
MOST_SOUGHT: Final = 5
"""Series of a promotion that the catalogue is asked about, since some are not sold or not for everybody."""
VOLUMES: Final = 5
"""Books of a series among which the first one on sale is sought."""
MOST_CARDS: Final = 3
LONGEST_TITLE: Final = 120
"""Letters of a promotion's title, which another team writes."""
NO_END_IN_SIGHT: Final = timedelta(days=730)
"""A promotion that ends later than this has an end for form's sake; nobody plans by it."""

_LINES: Final[Mapping[Language, str]] = {"en": "- {title} ({details})", "ja": "・{title}（{details}）"}
_DETAILS: Final[Mapping[Language, str]] = {"en": "; ", "ja": "、"}
_TITLES: Final[Mapping[Language, str]] = {"en": ", ", "ja": ""}

Answer = TypeVar("Answer")
Books = Mapping[str, Sequence["Product"]]
"""One of each series that a promotion's line names, by promotion."""


@dataclass(frozen=True, slots=True)
class Told:
    """A whole answer. A service named in ``degraded`` did not answer."""

    text: str = ""
    cards: tuple[ProductCard, ...] = ()
    degraded: tuple[str, ...] = ()


def _now() -> datetime:
    return datetime.now(UTC)


class _Turn:
    """The questions of one turn: how long each may take, and which went unanswered."""

    def __init__(self, shelves: Shelves, services: Services, budget_ms: int) -> None:
        self._shelves = shelves
        self._began, self._budget_ms = time.monotonic(), budget_ms
        self.services = services
        self.missing: list[str] = []

    def left_ms(self, round_: int) -> int:
        """Until round ``round_`` (from 0) has to be over; at least 1."""
        return max(1, round(self._budget_ms * SHARES[round_] - (time.monotonic() - self._began) * 1000))

    async def ask(
        self, service: str, asking: Callable[[int], Awaitable[Answer]], *, round_: int
    ) -> Answer | None:
        """What ``asking``, given its milliseconds, brings; ``None`` when there is no answer in time."""
        deadline_ms = self.left_ms(round_)
        answer = await self._shelves.ask(service, deadline_ms, asking)
        if answer is None:
            self.missing.append(service)
        return answer


class PromotionAnswers:
    """Answers questions about promotions."""

    def __init__(
        self,
        shelves: Shelves,
        *,
        store_url: str,
        now: Callable[[], datetime] = _now,
        popularity: Popularity | None = None,
        budget_ms: int = BUDGET_MS,
    ) -> None:
        """
        Args:
            shelves: has the store's clients.
            store_url: where product pages are.
            now: has a time zone.
            popularity: which series are worth naming first; the list that ships with us without it.
            budget_ms: longest wait for everything together, once the clients are there.
        """
        self._shelves = shelves
        self._store_url = store_url
        self._now = now
        self._popularity = popularity
        self._budget_ms = budget_ms

    async def of(self, question: str, language: Language, stopwatch: Stopwatch, *, otherwise: str) -> Told:
        """The answer to ``question`` (redacted); ``otherwise`` is said when the service does not answer.

        Raises:
            DeadlineExceeded: the turn has no time left at all.
        """
        with stopwatch.stage(STAGE):
            services = await self._shelves.prepare()
            turn = _Turn(self._shelves, services, min(self._budget_ms, stopwatch.remaining_ms(STAGE)))
            asked = title_asked_about(question)
            running, subject = await asyncio.gather(self._running(turn), self._subject(turn, asked))
            if running is None:
                return Told(otherwise, degraded=tuple(turn.missing))
            own = [each for each in running if subject and _is_for(each, subject)]
            others = [each for each in running if each not in own]
            listed = [*own, *others][:MOST_TOLD]
            books = await self._books(turn, listed)
            shown = await self._cards(turn, subject, _in_turn([*books.values()]))
        text = _Text(language, self._now(), books).of(subject, own, others)
        return Told(text, shown, tuple(dict.fromkeys(turn.missing)))

    async def _running(self, turn: _Turn) -> list[Promotion] | None:
        """The largest reduction first, and of those the one that ends first. What is over is not believed to run."""
        found = await turn.ask(
            PROMOTIONS, lambda ms: turn.services.promotions.running(deadline_ms=ms), round_=0
        )
        if found is None:
            return None
        now = self._now()
        running = [
            each
            for each in found
            if each.percent_off > 0 and _moment(each.starts_at) <= now < _moment(each.ends_at)
        ]
        return sorted(running, key=lambda each: (-each.percent_off, each.ends_at, each.promotion_id))

    async def _subject(self, turn: _Turn, title: str | None) -> Product | None:
        """The first book of the series that ``title`` means; ``None`` where there is none."""
        if title is None:
            return None
        page = await turn.ask(
            CATALOGUE,
            lambda ms: turn.services.products.find("title", title, page_size=1, deadline_ms=ms),
            round_=0,
        )
        return page.items[0] if page is not None and page.items else None

    async def _books(self, turn: _Turn, promotions: Sequence[Promotion]) -> Books:
        """Of some series of each promotion the first book on sale; none that is for adults alone.

        A promotion's series are many and in no order, so the most read ones are looked up.
        """
        popular = (self._popularity or shipped()).titles
        rank = {title.series_id: place for place, title in enumerate(popular)}
        mature = {title.series_id for title in popular if title.mature}
        sought = {
            each.promotion_id: sorted(
                (series_id for series_id in each.series_ids if series_id not in mature),
                key=lambda series_id: rank.get(series_id, len(rank)),
            )[:MOST_SOUGHT]
            for each in promotions
        }
        wanted = tuple(dict.fromkeys(series_id for ids in sought.values() for series_id in ids))
        if not wanted or CATALOGUE in turn.missing:
            return {}
        volumes = await turn.ask(CATALOGUE, lambda ms: _volumes(turn.services.products, wanted, ms), round_=1)
        books = {
            series_id: book
            for series_id, items in zip(wanted, volumes or (), strict=False)
            if (book := next((each for each in items if _is_for_all(each, series_id)), None))
        }
        return {
            promotion_id: tuple(books[each] for each in ids if each in books)[:MOST_NAMED]
            for promotion_id, ids in sought.items()
        }

    async def _cards(
        self, turn: _Turn, subject: Product | None, books: Sequence[Product]
    ) -> tuple[ProductCard, ...]:
        """Cards of the book that was asked about, then of books that can be had: first those whose price says so."""
        asked = [subject] if subject and subject.buyable else []
        found = {each.series_id: each for each in [*books, *asked]}
        if not found:
            return ()
        asins, services = tuple(each.asin for each in found.values()), turn.services
        offers, trust, ratings = await asyncio.gather(
            turn.ask(PRICING, lambda ms: services.pricing.offers(asins, deadline_ms=ms), round_=2),
            turn.ask(TRUST, lambda ms: services.pricing.trust(asins, deadline_ms=ms), round_=2),
            turn.ask(REVIEWS, lambda ms: services.reviews.ratings(asins, deadline_ms=ms), round_=2),
        )
        shelf = Shelf(offers=offers or {}, ratings=ratings or {})
        shown = [
            book
            for book in found.values()
            if _is_trusted(book, trust) and (book is subject or _is_to_be_had(book, offers))
        ]
        shown.sort(key=lambda book: (book is not subject, not _is_below_list_price(book, shelf.offers)))
        return tuple(
            cards.product_card(book, shelf, url=series_page(self._store_url, book.series_id))
            for book in shown[:MOST_CARDS]
        )


async def _volumes(
    products: Products, series_ids: Sequence[str], deadline_ms: int
) -> list[tuple[Product, ...]]:
    pages = await all_or_none(
        [
            products.find("series", series_id, page_size=VOLUMES, deadline_ms=deadline_ms)
            for series_id in series_ids
        ]
    )
    return [page.items for page in pages]


def _is_for_all(book: Product, series_id: str) -> bool:
    """Whether a book of that series, as was asked for, may be shown to anybody."""
    return book.series_id == series_id and book.buyable and not book.mature


def _is_for(promotion: Promotion, book: Product) -> bool:
    return not promotion.series_ids or book.series_id in promotion.series_ids


def _is_trusted(book: Product, trust: Mapping[str, TrustSignals] | None) -> bool:
    """No guardrail looks at cards beside a template. While nothing can be known about listings, none is condemned."""
    if trust is None:
        return True
    signals = trust.get(book.asin)
    return signals is not None and suspicion(signals, thresholds()) is None


def _is_to_be_had(book: Product, offers: Mapping[str, Offer] | None) -> bool:
    return offers is None or (book.asin in offers and offers[book.asin].in_stock)


def _is_below_list_price(book: Product, offers: Mapping[str, Offer]) -> bool:
    offer = offers.get(book.asin)
    return offer is not None and offer.list_price is not None and _is_less(offer.price, offer.list_price)


def _is_less(one: Amount, other: Amount) -> bool:
    return one.currency == other.currency and Decimal(one.value) < Decimal(other.value)


def _in_turn(lists: Sequence[Sequence[Product]]) -> list[Product]:
    """The first of each, then the second of each, and so on."""
    return [each[place] for place in range(MOST_NAMED) for each in lists if place < len(each)]


# --- wording ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Text:
    """The answer in words."""

    language: Language
    now: datetime
    books: Books

    def of(self, subject: Product | None, own: Sequence[Promotion], others: Sequence[Promotion]) -> str:
        """What was asked about first, then what else runs."""
        blocks: list[str] = []
        if subject and own:
            blocks += [
                self._say("promotions_for_title", title=self._series(subject)),
                *self._lines(own[:MOST_TOLD]),
            ]
        elif subject:
            blocks.append(self._say("promotions_not_for_title", title=self._series(subject)))
        rest = others[: max(0, MOST_TOLD - len(own))]
        if rest:
            blocks += [
                self._say("promotions_others" if subject else "promotions_running"),
                *self._lines(rest),
            ]
        if not own and not others:
            blocks.append(self._say("promotions_none"))
        if (more := len(own) + len(others) - MOST_TOLD) > 0:
            blocks.append(self._say("promotions_more", count=more))
        if any(each.at_checkout for each in [*own[:MOST_TOLD], *rest]):
            blocks.append(self._say("promotions_at_checkout"))
        return "\n".join(blocks)

    def _lines(self, promotions: Iterable[Promotion]) -> list[str]:
        return [
            _LINES[self.language].format(
                title=self._title(each), details=_DETAILS[self.language].join(self._details(each))
            )
            for each in promotions
        ]

    def _title(self, promotion: Promotion) -> str:
        titles = (promotion.title_ja, promotion.title_en)
        own, other = titles if self.language == "ja" else reversed(titles)
        return _plain(own) or _plain(other) or promotion.promotion_id

    def _details(self, promotion: Promotion) -> list[str]:
        percent = promotion.percent_off
        says_percent = re.search(
            rf"(?<![0-9.]){percent} ?%", unicodedata.normalize("NFKC", self._title(promotion))
        )
        return [
            *([] if says_percent else [self._say("promotion_percent", percent=percent)]),
            *([until] if (until := self._until(promotion)) else []),
            self._scope(promotion),
            *([self._say("promotion_code", code=_plain(promotion.code))] if promotion.code else []),
        ]

    def _until(self, promotion: Promotion) -> str | None:
        """The last day, where the end is the midnight after it; else day and time. ``None``: no end in sight."""
        ends_at = _moment(promotion.ends_at)
        if ends_at - self.now > NO_END_IN_SIGHT:
            return None
        if (ends_at.hour, ends_at.minute) == (0, 0):
            return self._say("promotion_through", date=self._date(ends_at - timedelta(days=1)))
        return self._say("promotion_until", date=self._date(ends_at), time=f"{ends_at:%H:%M}")

    def _date(self, moment: datetime) -> str:
        if self.language == "ja":
            return f"{moment.year}年{moment.month}月{moment.day}日"
        return f"{moment.day} {moment:%B} {moment.year}"

    def _scope(self, promotion: Promotion) -> str:
        """For which series; those that the catalogue does not name are counted."""
        if not promotion.series_ids:
            return self._say("promotion_for_all")
        named = [self._series(each) for each in self.books.get(promotion.promotion_id, ())]
        more = len(promotion.series_ids) - len(named)
        if not named:
            return self._say("promotion_for_some", count=more)
        quoted = [f"『{each}』" if self.language == "ja" else each for each in named]
        titles = _TITLES[self.language].join(quoted)
        if more:
            return self._say("promotion_for_titles_and_more", titles=titles, count=more)
        return self._say("promotion_for_titles", titles=titles)

    def _series(self, book: Product) -> str:
        return (self.language == "ja" and book.title_ja) or book.series_title

    def _say(self, reply: str, **facts: object) -> str:
        return reply_text(reply, self.language).format(**facts)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def _plain(text: str) -> str:
    """One line without invisible characters, not too long: another team writes it, and no guardrail reads it."""
    words = " ".join(strip_invisible(text).split())
    return words if len(words) <= LONGEST_TITLE else words[: LONGEST_TITLE - 1].rstrip() + "…"
