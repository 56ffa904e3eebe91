"""What a question asks of the products in the prompt."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from typing import Any, Final

from mangaassist.catalogue import terms
from services.models.small.features import normalize
from tools.twin.models.composer.prompt import Product, Prompt

RECOMMENDATION: Final = "recommendation"
UNCLEAR: Final = "unclear"
BROWSE: Final = "browse"
SUPERLATIVES: Final = ("longest", "shortest", "newest", "oldest")
LIKENESS: Final = 0.84
"""How much of a misspelt title must be right."""
SHORTEST_MISSPELT: Final = 5
SHORTEST_SURNAME: Final = 4
_HAN = re.compile(r"[\u3005\u3400-\u9fff]+")
_AFTER_NAME = r"(?:先生|さん|氏|の|みたい|風|っぽい|作品|が好き|が描)"


@dataclass(frozen=True, slots=True)
class Wish:
    """What narrows a recommendation; ``None`` and empty narrow nothing."""

    genres: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()
    demographics: tuple[str, ...] = ()
    statuses: tuple[str, ...] = ()
    at_most: int | None = None
    since: int | None = None
    before: int | None = None
    is_short: bool = False
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The kind of question (a key of ``data/questions.toml``), whom and what it names, and its wishes."""

    kind: str
    products: tuple[Product, ...]
    creators: tuple[str, ...]
    wish: Wish


def understand(prompt: Prompt) -> Asked:
    """Read the question of ``prompt`` against its products."""
    text = normalize(prompt.question)
    named = named_products(prompt.question, prompt.products)
    creators = named_creators(prompt.question, prompt.products)
    kind = next((kind for kind, pattern in _asks().items() if kind != BROWSE and pattern.search(text)), None)
    wish = _wish(prompt.question, text, prompt.products)
    if kind is None and named and not creators:
        kind = "about"
    elif kind is None:
        is_browsing = creators or wish != Wish() or mentions(BROWSE, prompt.question)
        kind = RECOMMENDATION if is_browsing else UNCLEAR
    if kind != RECOMMENDATION and kind not in SUPERLATIVES:
        subject = named or _meant(prompt, text)
        is_browsing = not subject and bool(creators or wish.genres or wish.demographics)
        if is_browsing and kind not in ("price", "stock"):
            return Asked(RECOMMENDATION, (), creators, wish)
        return Asked(kind, subject, creators, wish)
    return Asked(kind, named, creators, wish)


def mentions(kind: str, question: str) -> bool:
    """Whether a question holds words of ``kind``, whatever else it asks."""
    return _asks()[kind].search(normalize(question)) is not None


def named_products(question: str, products: Sequence[Product]) -> tuple[Product, ...]:
    """The products a question names: by whole title, else by the part before a colon, else misspelt."""
    for match in (_by_title, _by_main_part, _by_likeness):
        if found := match(question, products):
            return found
    return ()


def named_creators(question: str, products: Sequence[Product]) -> tuple[str, ...]:
    """The creators of these products whom a question names, in either script and either order of names."""
    text, said = normalize(question), set(_folded(question))
    found: dict[str, None] = {}
    for product in products:
        for name in (*product.creators, *product.creators_ja):
            if _is_said(name, question, text, said):
                found[name] = None
    return tuple(found)


def _by_title(question: str, products: Sequence[Product]) -> tuple[Product, ...]:
    spans = [
        (*span, product)
        for product in products
        for title in filter(None, (product.title, product.title_ja))
        if (span := _span(question, title)) is not None
    ]
    # "Attack on Titan: Junior High" names that series, not also the one its title begins with.
    outer = [
        product
        for start, end, product in spans
        if not any(s <= start and end <= e and (e - s) > (end - start) for s, e, _ in spans)
    ]
    return tuple({product.index: product for product in outer}.values())


def _by_main_part(question: str, products: Sequence[Product]) -> tuple[Product, ...]:
    found = [
        product
        for product in products
        for title in filter(None, (product.title, product.title_ja))
        if len(main := _main_part(title)) < len(title) and _span(question, main)
    ]
    return tuple({product.index: product for product in found}.values())


def _main_part(title: str) -> str:
    """What stands before a subtitle; the whole title if that is too short to know it by."""
    main = re.split(r"\s*(?:: | - |：|〜|～)\s*", title)[0]
    return main if len(main) > 2 else title


def _by_likeness(question: str, products: Sequence[Product]) -> tuple[Product, ...]:
    best: tuple[float, Product | None] = (LIKENESS, None)
    said = _folded(question)
    titles = [
        (title, product) for product in products for title in (product.title, _main_part(product.title))
    ]
    for name, product in titles:
        wanted = _folded(name)
        title = " ".join(wanted)
        if len(title) < SHORTEST_MISSPELT:
            continue
        for size in {len(wanted) - 1, len(wanted), len(wanted) + 1} - {0}:
            for start in range(len(said) - size + 1):
                likeness = SequenceMatcher(None, title, " ".join(said[start : start + size])).ratio()
                if likeness > best[0]:
                    best = (likeness, product)
    return (best[1],) if best[1] is not None else ()


def _span(question: str, title: str) -> tuple[int, int] | None:
    """Where ``title`` stands in ``question`` as a name of its own."""
    text, wanted = normalize(question), normalize(title)
    if not wanted:
        return None
    if wanted in _data()["ordinary"]["words"]:
        text, wanted = question, title
    is_latin = wanted[0].isascii() and wanted[-1].isascii()
    edge = (r"(?<![A-Za-z0-9])", r"(?![A-Za-z0-9])") if is_latin else ("", "")
    if not is_latin and len(wanted) < 2:
        # One Japanese character is a title only in the marks that Japanese puts around titles.
        edge = ("[『「]", "[』」]")
    match = re.search(edge[0] + re.escape(wanted) + edge[1], text)
    return match.span() if match else None


def _is_said(name: str, question: str, text: str, said: set[str]) -> bool:
    parts = _folded(name)
    if parts:
        return set(parts) <= said or _surname_said(question, name, parts)
    return _said_in_japanese(text, normalize(name))


def _surname_said(question: str, name: str, parts: Sequence[str]) -> bool:
    """Whether the last part of a Western-ordered name stands alone, capitalized: "like Urasawa"."""
    last = name.split()[-1]
    return (
        len(parts) > 1
        and len(last) >= SHORTEST_SURNAME
        and re.search(rf"(?<!\w){re.escape(last)}(?!\w)", question) is not None
    )


def _said_in_japanese(text: str, name: str) -> bool:
    plain = re.sub(r"[\s・]", "", name)
    if len(plain) > 1 and plain in re.sub(r"[\s・]", "", text):
        return True
    if not _HAN.fullmatch(plain):
        return False
    surnames = "|".join(re.escape(plain[:size]) for size in range(2, len(plain)))
    return (
        bool(surnames) and re.search(rf"(?:^|[^\u3400-\u9fff])(?:{surnames}){_AFTER_NAME}", text) is not None
    )


def _meant(prompt: Prompt, text: str) -> tuple[Product, ...]:
    """The product that "it" points at: on the page, or last spoken of; the only one there is."""
    if prompt.page_asin is not None:
        on_page = tuple(product for product in prompt.products if product.asin == prompt.page_asin)
        if on_page:
            return on_page
    if _any(_data()["it"]["words"]).search(text) is None:
        return ()
    for _, said in reversed(prompt.earlier):
        if spoken_of := named_products(said, prompt.products):
            return spoken_of[:1]
    return prompt.products if len(prompt.products) == 1 else ()


def _wish(question: str, text: str, products: Sequence[Product]) -> Wish:
    def said(name: str) -> re.Match[str] | None:
        return next(filter(None, (pattern.search(text) for pattern in _wishes()[name])), None)

    def number(name: str) -> int | None:
        match = said(name)
        return _number(match["n"]) if match else None

    statuses: tuple[str, ...] = ("finished",) if said("finished") else ()
    if said("running"):
        statuses = ("publishing",)
    refused = _refused(text, {genre for product in products for genre in product.genres})
    demographics = tuple(
        name for name, patterns in _data()["demographics"].items() if _any(patterns).search(text)
    )
    return Wish(
        genres=tuple(genre for genre in terms.genres_in(question) if genre not in refused),
        refused=refused,
        demographics=demographics,
        statuses=statuses,
        at_most=1 if said("single") else number("at_most"),
        since=number("since"),
        before=number("before"),
        is_short=said("short") is not None,
        count=number("count"),
    )


def _refused(text: str, genres: Iterable[str]) -> tuple[str, ...]:
    shapes = _data()["refusal"]
    refused = []
    for genre in sorted(genres):
        english = "|".join({re.escape(normalize(word)) for word in (genre, terms.prose("genres", genre))})
        japanese = re.escape(normalize(terms.japanese("genres", genre)))
        if re.search(shapes["en"].format(f"(?:{english})"), text) or re.search(
            shapes["ja"].format(japanese), text
        ):
            refused.append(genre)
    return tuple(refused)


def _folded(text: str) -> list[str]:
    """The Latin words of a text in one romanization: Itou and Ito are one name."""
    words = re.findall(r"[a-z0-9]+", normalize(text))
    return [re.sub(r"ou(?![aeiou])|oo|oh(?![aeiou])", "o", word).replace("uu", "u") for word in words]


def _number(word: str) -> int | None:
    if word.isascii() and word.isdigit():
        return int(word)
    value = _data()["numbers"].get(word)
    return int(value) if value is not None else None


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns))


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads((Path(__file__).parent / "data" / "questions.toml").read_text("utf-8"))


@cache
def _asks() -> Mapping[str, re.Pattern[str]]:
    return {kind: _any(patterns) for kind, patterns in _data()["ask"].items()}


@cache
def _wishes() -> Mapping[str, tuple[re.Pattern[str], ...]]:
    return {name: tuple(map(re.compile, patterns)) for name, patterns in _data()["wish"].items()}
