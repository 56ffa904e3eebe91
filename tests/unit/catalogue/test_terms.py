from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.catalogue import terms


@pytest.mark.parametrize(
    ("question", "genres"),
    [
        ("Recommend horror manga like Junji Ito", ("Horror",)),
        ("伊藤潤二みたいなホラー漫画のおすすめは？", ("Horror",)),
        ("A creepy MYSTERY please", ("Horror", "Mystery")),
        ("SF漫画とＢＬ", ("Boys Love", "Sci-Fi")),
        ("ラブコメ", ("Comedy", "Romance")),
        ("slice-of-life or sci-fi", ("Sci-Fi", "Slice of Life")),
        ("where is my order?", ()),
        ("blast from the past, dramatist, 5fs", ()),
        ("", ()),
    ],
)
def test_genres_a_question_names(question: str, genres: tuple[str, ...]) -> None:
    assert terms.genres_in(question) == genres


@pytest.mark.parametrize(
    ("question", "genres"),
    [
        ("something funny but no horror", ("Comedy",)),
        ("a romance without too much drama", ("Romance",)),
        ("I hate horror, give me fantasy", ("Fantasy",)),
        ("ホラー以外の恋愛漫画", ("Romance",)),
        ("ホラーは苦手、ミステリーが好き", ("Mystery",)),
        ("ホラー漫画じゃないもの", ()),
    ],
)
def test_a_genre_to_avoid_is_not_asked_for(question: str, genres: tuple[str, ...]) -> None:
    assert terms.genres_in(question) == genres


@pytest.mark.parametrize("genre", sorted(terms.known("genres")))
def test_every_genre_is_found_by_its_own_names(genre: str) -> None:
    assert genre in terms.genres_in(f"any {genre.lower()} manga?")


@given(st.text())
def test_any_question_has_an_answer_of_known_genres(question: str) -> None:
    assert set(terms.genres_in(question)) <= terms.known("genres")


def test_a_term_without_a_translation_stays_as_it_is() -> None:
    assert (terms.japanese("themes", "Quilting"), terms.prose("themes", "Quilting")) == (
        "Quilting",
        "Quilting",
    )
    assert (terms.japanese("genres", "Horror"), terms.prose("genres", "Sci-Fi")) == (
        "ホラー",
        "science fiction",
    )
