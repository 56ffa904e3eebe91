from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.catalogue import terms
from tools.catalogue.prose import AWARD, Facts, Language, describe

names = st.sampled_from(["Ann Lee", "Bo", "Kentaro Miura", "CLAMP", "{brace}", "山田太郎"])
few = {"min_size": 0, "max_size": 5, "unique": True}


def some(kind: terms.Kind, **bounds: Any) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(sorted(terms.known(kind))), **{**few, **bounds}).map(tuple)


creators = st.lists(names, min_size=1, max_size=5, unique=True).map(tuple)
facts = st.builds(
    Facts,
    series_id=st.from_regex(r"MG[0-9]{5}", fullmatch=True),
    title=st.sampled_from(["Alpha", "A {title} in braces", "Beta: 7"]),
    title_ja=st.sampled_from(["アルファ", "ベータ7"]),
    creators=creators,
    creators_ja=creators,
    type=st.sampled_from(sorted(terms.known("types"))),
    status=st.sampled_from(sorted(terms.known("statuses"))),
    year=st.integers(1950, 2024),
    genres=some("genres"),
    themes=some("themes"),
    demographics=some("demographics", max_size=2),
    volume_count=st.none() | st.integers(1, 300),
    magazine=st.none() | st.just("Nemuki"),
    magazine_ja=st.none() | st.just("ネムキ"),
    publisher=st.none() | st.just("Kodansha"),
    publisher_ja=st.none() | st.just("講談社"),
)


KINDS: tuple[terms.Kind, ...] = ("genres", "themes", "demographics")


@given(facts)
def test_every_number_of_a_description_is_a_fact(known: Facts) -> None:
    for text, title in ((describe(known, "en"), known.title), (describe(known, "ja"), known.title_ja)):
        numbers = {int(number) for number in re.findall(r"\d+", text.replace(title, " "))}
        assert numbers <= {known.year, known.volume_count or known.year}


@pytest.mark.parametrize("language", ["en", "ja"])
@given(known=facts)
def test_every_term_of_a_description_is_a_fact(language: Language, known: Facts) -> None:
    text = describe(known, language).lower()
    for stated in wordings_of(known, language):
        text = text.replace(stated.lower(), " ")
    for kind in KINDS:
        for term in terms.known(kind) - set(getattr(known, kind)):
            wording = re.escape(wording_of(kind, term, language).lower())
            assert not re.search(rf"\b{wording}\b" if language == "en" else wording, text), term


@given(facts)
def test_what_is_known_is_said(known: Facts) -> None:
    english, japanese = describe(known, "en"), describe(known, "ja")
    assert known.title in english
    assert known.title_ja in japanese
    assert known.creators[0] in english
    assert str(known.year) in english
    assert str(known.year) in japanese
    for genre in set(known.genres) - {AWARD}:
        assert terms.prose("genres", genre) in english
        assert terms.japanese("genres", genre) in japanese
    if known.magazine:
        assert known.magazine in english


@given(facts)
def test_nothing_unknown_leaves_a_hole(known: Facts) -> None:
    for text in (describe(known, "en"), describe(known, "ja")):
        assert "None" not in text
        assert "  " not in text
        assert not re.search(r"\(\)|「」|『』|（）| ,|、。", text)


def test_descriptions_vary_with_the_series() -> None:
    def of(series_id: str) -> str:
        plain: dict[str, Any] = {
            "title": "X", "title_ja": "X", "creators": ("Y",), "creators_ja": ("Y",), "type": "manga",
            "status": "finished", "year": 2000, "genres": ("Horror",), "themes": (), "demographics": (),
            "volume_count": 3, "magazine": None, "magazine_ja": None, "publisher": None, "publisher_ja": None,
        }  # fmt: skip
        return describe(Facts(series_id=series_id, **plain), "en")

    assert len({of(f"MG{number:05d}") for number in range(100)}) > 8
    assert of("MG00001") == of("MG00001")


@pytest.mark.parametrize("language", ["en", "ja"])
def test_a_synthetic_volume_count_is_not_stated(language: Language) -> None:
    known = Facts(
        series_id="MG1", title="X", title_ja="X", creators=("Y",), creators_ja=("Y",), type="manga",
        status="finished", year=2000, genres=(), themes=(), demographics=(), volume_count=None,
        magazine=None, magazine_ja=None, publisher=None, publisher_ja=None,
    )  # fmt: skip
    assert set(re.findall(r"\d+", describe(known, language))) == {"2000"}


def wording_of(kind: terms.Kind, term: str, language: Language) -> str:
    return terms.prose(kind, term) if language == "en" else terms.japanese(kind, term)


def wordings_of(known: Facts, language: Language) -> list[str]:
    """What the facts allow a description to say, longest first: the genre romance hides in romantic subtext."""
    stated = [wording_of(kind, term, language) for kind in KINDS for term in getattr(known, kind)]
    own = (known.title, *known.creators) if language == "en" else (known.title_ja, *known.creators_ja)
    return sorted([*stated, *own, wording_of("types", known.type, language)], key=len, reverse=True)
