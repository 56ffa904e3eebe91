"""Wording an answer: every title, name and number in it stands in the prompt."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final
from zlib import crc32

from mangaassist.catalogue import terms
from tools.twin.models.composer import question as asking
from tools.twin.models.composer.prompt import Language, Product, Prompt, Role, read_prompt
from tools.twin.models.composer.question import Asked, Wish, understand

RECOMMENDED: Final = 3
"""As many as our prompt asks for, unless the shopper names a number."""
MAXIMUM: Final = 5
NEAREST_NAMED: Final = 3
NAMES_SHOWN: Final = 3
AWARD: Final = "Award Winning"
"""A distinction among the catalogue's genres; it reads badly beside the others."""


def compose(messages: Sequence[tuple[Role, str]]) -> str:
    """The answer to a conversation whose last message is the user's."""
    prompt = read_prompt(messages)
    return _Writer(prompt, understand(prompt)).answer()


class _Writer:
    def __init__(self, prompt: Prompt, asked: Asked) -> None:
        self._prompt = prompt
        self._asked = asked
        self._language: Language = prompt.language
        self._phrases: Mapping[str, Any] = _phrases()[prompt.language]

    def answer(self) -> str:
        """The whole text."""
        if not self._prompt.products:
            return self._vary("none", "products")
        kind = self._asked.kind
        if kind == asking.RECOMMENDATION:
            return self._recommendation()
        if kind in asking.SUPERLATIVES:
            return self._superlative()
        if not self._asked.products:
            why = kind if kind in ("price", asking.UNCLEAR) else "named"
            return self._vary("none", why, names=self._nearest())
        return self._sentences([self._fact(product) for product in self._asked.products[:RECOMMENDED]])

    # --- recommendation -------------------------------------------------------------------------------

    def _recommendation(self) -> str:
        asked, wish = self._asked, self._asked.wish
        seeds = asked.products
        others = [product for product in self._prompt.products if product not in seeds]
        if not others:
            return self._sentences([self._about(product) for product in seeds[:RECOMMENDED]])
        fewest = min(misses(product, wish) for product in others)
        ranked = self._ranked([product for product in others if misses(product, wish) == fewest])
        picks = ranked[: min(wish.count or RECOMMENDED, MAXIMUM)]
        lines = [self._opening(picks, is_met=fewest == 0), *(self._item(product) for product in picks)]
        closing = "browse" if self._is_all_suggested() else "recommendation"
        lines.append(self._vary("closing", "price" if self._asks_price() else closing))
        return "\n".join(lines)

    def _ranked(self, candidates: Sequence[Product]) -> list[Product]:
        """Best first: by the named creator, then by what it shares with what was named or asked; else as given."""
        wanted = self._wanted_genres()

        def merit(product: Product) -> tuple[float, ...]:
            is_by_named = self._is_by_named(product)
            shared = sum(wanted[genre] for genre in product.genres)
            length = product.volumes or MAXIMUM if self._asked.wish.is_short else 0
            return (-int(is_by_named), -shared, length, product.index)

        return sorted(candidates, key=merit)

    def _wanted_genres(self) -> Counter[str]:
        """Genres of the named products and of the named creators' works, and those asked for, which count double."""
        wanted: Counter[str] = Counter()
        for genre in self._asked.wish.genres:
            wanted[genre] += 2
        for genre in {genre for seed in self._asked.products for genre in seed.genres}:
            wanted[genre] += 1
        works = [product for product in self._prompt.products if self._is_by_named(product)]
        for genre in {genre for work in works for genre in work.genres}:
            wanted[genre] += 1
        return wanted

    def _is_by_named(self, product: Product) -> bool:
        return not set(self._asked.creators).isdisjoint((*product.creators, *product.creators_ja))

    def _opening(self, picks: Sequence[Product], *, is_met: bool) -> str:
        asked = self._asked
        if self._is_all_suggested():
            return self._vary("opening", "suggested")
        if not is_met:
            return self._vary("opening", "unmet")
        if asked.products:
            return self._vary("opening", "seed", names=self._titles(asked.products[:NEAREST_NAMED]))
        if asked.creators and any(self._is_by_named(product) for product in picks):
            return self._vary("opening", "creator", names=self._list(self._creator_names()))
        shared = [genre for genre in asked.wish.genres if any(genre in pick.genres for pick in picks)]
        if shared:
            return self._vary("opening", "genres", genres=self._genres(shared))
        return self._vary("opening", "one" if len(picks) == 1 else "plain")

    def _is_all_suggested(self) -> bool:
        """The search found nothing, and the prompt wants that said."""
        return all(product.recommended for product in self._prompt.products)

    def _creator_names(self) -> list[str]:
        """The named creators, once each, in the script of the answer where the prompt has it."""
        names: dict[str, None] = {}
        for product in self._prompt.products:
            for place, name in enumerate(product.creators):
                japanese = product.creators_ja[place] if self._is_aligned(product) else name
                if {name, japanese} & set(self._asked.creators):
                    names[japanese if self._language == "ja" else name] = None
        return list(names) or list(self._asked.creators)

    def _item(self, product: Product) -> str:
        parts = [self._reason(product), *self._details(product)]
        return self._say("item", **self._subject(product), reason=self._join("; ", "。", parts))

    def _reason(self, product: Product) -> str:
        wanted, reasons = self._wanted_genres(), self._phrases["reason"]
        mine = [genre for genre in product.genres if genre != AWARD]
        seeds = self._asked.products
        common = [genre for genre in mine if any(genre in seed.genres for seed in seeds)]
        asked_for = [genre for genre in mine if genre in self._asked.wish.genres]
        if self._is_by_named(product):
            name = "creator_and_genres" if mine else "creator"
            return reasons[name].format(genres=self._genres(sorted(mine, key=lambda g: -wanted[g])))
        if common:
            return reasons["shared"].format(genres=self._genres(common), seed=self._titles(seeds[:1]))
        if asked_for:
            return reasons["asked"].format(genres=self._genres(asked_for))
        if mine:
            return reasons["genres"].format(genres=self._genres(mine))
        if product.demographics:
            return reasons["demographics"].format(demographics=self._readers(product))
        return reasons["nothing"]

    def _details(self, product: Product) -> list[str]:
        """What else is known: readership, year, length."""
        reasons, length = self._phrases["reason"], self._phrases["length"]
        details: list[str] = []
        if product.demographics and product.genres:
            details.append(reasons["readers"].format(demographics=self._readers(product)))
        if product.year is not None:
            details.append(reasons["year"].format(year=product.year))
        if product.status == "finished":
            known = {None: "finished_unknown", 1: "finished_one"}.get(product.volumes, "finished")
            details.append(length[known].format(volumes=product.volumes))
        elif product.status in length:
            details.append(length[product.status])
        return details

    # --- facts ----------------------------------------------------------------------------------------

    def _fact(self, product: Product) -> str:
        kind = self._asked.kind
        if kind == "about":
            return self._about(product)
        name = _fact_name(kind, product)
        if name is None:
            what = self._phrases["what"][kind]
            return self._say("fact", "unknown", **self._subject(product), what=what)
        return self._say(
            "fact",
            name,
            **self._subject(product),
            volumes=product.volumes,
            year=product.year,
            publisher=product.publisher,
            title_ja=product.title_ja,
            genres=self._genres(product.genres, limit=len(product.genres)),
            demographics=self._readers(product),
        )

    def _about(self, product: Product) -> str:
        if product.summary:
            return self._say("fact", "about", **self._subject(product), summary=product.summary)
        reason = self._join("; ", "。", [self._own_reason(product), *self._details(product)])
        return self._say("fact", "about_facts", **self._subject(product), reason=reason)

    def _own_reason(self, product: Product) -> str:
        reasons = self._phrases["reason"]
        if product.genres:
            return reasons["genres"].format(genres=self._genres(product.genres, limit=len(product.genres)))
        if product.demographics:
            return reasons["demographics"].format(demographics=self._readers(product))
        return reasons["nothing"]

    def _superlative(self) -> str:
        kind = self._asked.kind
        field = "volumes" if kind in ("longest", "shortest") else "year"
        pool = self._asked.products if len(self._asked.products) > 1 else self._prompt.products
        known = [
            one for one in pool if misses(one, self._asked.wish) == 0 and getattr(one, field) is not None
        ]
        if self._asked.creators:
            known = [one for one in known if self._is_by_named(one)]
        if not known:
            return self._vary("none", "compare", names=self._nearest())
        choose = max if kind in ("longest", "newest") else min
        best = choose(known, key=lambda product: getattr(product, field))
        return self._say("fact", kind, **self._subject(best), volumes=best.volumes, year=best.year)

    # --- words ----------------------------------------------------------------------------------------

    def _subject(self, product: Product) -> dict[str, Any]:
        """The slots every sentence about a product may use."""
        names = (
            product.creators_ja if self._language == "ja" and self._is_aligned(product) else product.creators
        )
        creators = self._list(names[:NAMES_SHOWN])
        by = self._phrases["by"].format(creators=creators) if creators else ""
        return {"title": self._title(product), "by": by, "creators": creators, "index": product.index}

    def _is_aligned(self, product: Product) -> bool:
        """Whether every creator has a Japanese name in the data; names without one leave no gap there."""
        return len(product.creators_ja) == len(product.creators)

    def _title(self, product: Product) -> str:
        title = product.title_ja if self._language == "ja" and product.title_ja else product.title
        return self._phrases["title"].format(title=title)

    def _titles(self, products: Sequence[Product]) -> str:
        return self._list([self._title(product) for product in products])

    def _nearest(self) -> str:
        named = self._prompt.products[:NEAREST_NAMED]
        return self._list([f"{self._title(one)}{self._phrases['between']}[{one.index}]" for one in named])

    def _genres(self, genres: Sequence[str], *, limit: int = 3) -> str:
        return self._list([self._term("genres", genre) for genre in genres[:limit]])

    def _readers(self, product: Product) -> str:
        return self._list([self._term("demographics", one) for one in product.demographics])

    def _term(self, kind: terms.Kind, term: str) -> str:
        return terms.japanese(kind, term) if self._language == "ja" else terms.prose(kind, term)

    def _list(self, words: Sequence[str]) -> str:
        if len(words) < 2:
            return "".join(words)
        return self._phrases["comma"].join(words[:-1]) + self._phrases["and"] + words[-1]

    def _join(self, english: str, japanese: str, parts: Sequence[str]) -> str:
        return (japanese if self._language == "ja" else english).join(parts)

    def _sentences(self, sentences: Sequence[str]) -> str:
        return self._join(" ", "", sentences)

    def _say(self, *path: str, **slots: object) -> str:
        phrase: Any = self._phrases
        for name in path:
            phrase = phrase[name]
        return phrase.format(**slots)

    def _vary(self, *path: str, **slots: object) -> str:
        variants: Any = self._phrases
        for name in path:
            variants = variants[name]
        return variants[crc32(self._prompt.question.encode()) % len(variants)].format(**slots)

    def _asks_price(self) -> bool:
        return asking.mentions("price", self._prompt.question)


def misses(product: Product, wish: Wish) -> int:
    """How many wishes a product fails, a refused genre counting twice; data that is silent fails."""
    volumes, year = product.volumes, product.year
    failed = (
        bool(wish.genres) and set(wish.genres).isdisjoint(product.genres),
        bool(wish.demographics) and set(wish.demographics).isdisjoint(product.demographics),
        bool(wish.statuses) and product.status not in wish.statuses,
        wish.at_most is not None and (volumes is None or volumes > wish.at_most),
        wish.since is not None and (year is None or year < wish.since),
        wish.before is not None and (year is None or year > wish.before),
    )
    return sum(failed) + 2 * (not set(wish.refused).isdisjoint(product.genres))


def _fact_name(kind: str, product: Product) -> str | None:
    """Which sentence answers ``kind`` about ``product``; ``None`` when its data does not say."""
    match kind:
        case "price" | "stock":
            return kind
        case "volumes":
            if product.volumes is None:
                return None
            if product.volumes == 1 and product.status == "finished":
                return "volumes_one"
            known = product.status in ("finished", "publishing", "hiatus", "discontinued")
            return f"volumes_{product.status}" if known else "volumes_unknown"
        case "status":
            if product.status not in ("finished", "publishing", "hiatus", "discontinued"):
                return None
            counted = product.status == "finished" and (product.volumes or 0) > 1
            return "status_finished_volumes" if counted else f"status_{product.status}"
        case _:
            return kind if getattr(product, kind) else None


@cache
def _phrases() -> Mapping[Language, Mapping[str, Any]]:
    return tomllib.loads((Path(__file__).parent / "data" / "phrases.toml").read_text("utf-8"))  # pyright: ignore[reportReturnType]
