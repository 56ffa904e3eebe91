"""What the model was given: product data, the language to answer in, the question, and what was said before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from typing import Literal

Language = Literal["en", "ja"]
Role = Literal["user", "assistant"]

AMOUNT = re.compile(
    r"[$€£¥￥]\s*\d|\d[\d,.]*\s*(?:円|ドル|ユーロ|yen|dollars?|euros?|pounds?|usd|jpy|eur|gbp)\b",
    re.IGNORECASE,
)
"""A price. Facts that hold one are not repeated, wherever they came from."""

_BLOCK = re.compile(r'<product_data index="(\d{1,3})">\n(.*?)\n</product_data>', re.DOTALL)
_LANGUAGE = re.compile(r"<answer_language>\s*(en|ja)\s*</answer_language>")
_QUESTION = re.compile(r"<question>(.*?)</question>", re.DOTALL)
_CONTEXT_ASIN = re.compile(r"<context>.*?^product_asin: (\w+)$.*?</context>", re.DOTALL | re.MULTILINE)
_JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


@dataclass(frozen=True, slots=True)
class Product:
    """One block of product data; what the block does not say is ``None`` or empty."""

    index: int
    title: str
    title_ja: str | None = None
    creators: tuple[str, ...] = ()
    creators_ja: tuple[str, ...] = ()
    year: int | None = None
    volumes: int | None = None
    status: str | None = None
    genres: tuple[str, ...] = ()
    demographics: tuple[str, ...] = ()
    publisher: str | None = None
    asin: str | None = None
    summary: str | None = None
    recommended: str | None = None
    """Why it was suggested, of what no search found."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """The last message taken apart, and the texts of the messages before it, oldest first."""

    question: str
    language: Language
    products: tuple[Product, ...] = ()
    earlier: tuple[tuple[Role, str], ...] = field(default=())
    page_asin: str | None = None
    """The product whose page the shopper looks at."""


def read_prompt(messages: Sequence[tuple[Role, str]]) -> Prompt:
    """Take a conversation apart; ``messages`` are roles and texts, the last one the user's.

    A message without the tags of our templates is a question without data.
    """
    *earlier, (_, last) = messages
    tagged = _QUESTION.search(last)
    question = _plain(tagged[1] if tagged else _BLOCK.sub("", last))
    stated = _LANGUAGE.search(last)
    language: Language = "ja" if _JAPANESE.search(question) else "en"
    if stated:
        language = "ja" if stated[1] == "ja" else "en"
    page = _CONTEXT_ASIN.search(last)
    found = (_product(int(block[1]), block[2]) for block in _BLOCK.finditer(last))
    return Prompt(
        question=question,
        language=language,
        products=tuple(product for product in found if product is not None),
        earlier=tuple((role, _plain(_inside(text))) for role, text in earlier),
        page_asin=page[1] if page else None,
    )


def _product(index: int, block: str) -> Product | None:
    facts: dict[str, str] = {}
    for line in block.splitlines():
        name, _, value = line.partition(": ")
        if value.strip():
            facts.setdefault(name.strip(), _plain(value))
    if "title" not in facts:
        return None
    return Product(
        index=index,
        title=facts["title"],
        title_ja=facts.get("title_ja"),
        creators=_many(facts, "creators"),
        creators_ja=_many(facts, "creators_ja"),
        year=_number(facts, "year"),
        volumes=_number(facts, "volumes"),
        status=facts.get("status"),
        genres=_many(facts, "genres"),
        demographics=_many(facts, "demographic"),
        publisher=_unpriced(facts.get("publisher", "")) or None,
        asin=facts.get("asin"),
        summary=_unpriced(facts.get("summary", "")) or None,
        recommended=facts.get("recommended"),
    )


def _many(facts: Mapping[str, str], name: str) -> tuple[str, ...]:
    values = (value.strip() for value in facts.get(name, "").split(";"))
    return tuple(value for value in values if value and not AMOUNT.search(value))


def _number(facts: Mapping[str, str], name: str) -> int | None:
    value = facts.get(name, "")
    return int(value) if re.fullmatch(r"\d{1,4}", value, re.ASCII) else None


def _unpriced(text: str) -> str:
    """``text`` without the sentences that state an amount of money."""
    if not AMOUNT.search(text):
        return text
    # A decimal point ends no sentence, so amounts are dropped with everything up to the next real end.
    sentences = re.split(r"(?<=[.!?。！？])(?<!\d\.)\s*", text)
    return " ".join(sentence for sentence in sentences if sentence and not AMOUNT.search(sentence)).strip()


def _inside(text: str) -> str:
    """The question of an earlier message; an answer stands without tags."""
    tagged = _QUESTION.search(text)
    return tagged[1] if tagged else text


def _plain(text: str) -> str:
    return " ".join(unescape(text).split())
