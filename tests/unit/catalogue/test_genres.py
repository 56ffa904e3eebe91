from __future__ import annotations

from dataclasses import replace

import pytest

from mangaassist.catalogue import terms
from tools.catalogue.genres import GenreBook, Rule, measure, rules
from tools.catalogue.source import Credit, Row, rows


def row(work: str = "w", **changes: object) -> Row:
    plain = Row(
        id=work, title="T", title_romaji="T", title_ja=None, type="manga", credits=(Credit("A", None, "story"),),
        start_year=2000, end_year=None, volumes=None, chapters=None, status="finished", genres=(), themes=(),
        demographics=(), magazine=None, magazine_ja=None, publisher=None, publisher_ja=None, score=8.0, votes=10,
    )  # fmt: skip
    return replace(plain, **changes)  # type: ignore[arg-type]


def test_stated_genres_are_left_alone() -> None:
    stated = row(genres=("Drama", "Horror"), themes=("Isekai",))
    assert GenreBook([stated]).genres(stated) == (("Drama", "Horror"), "stated")


def test_a_rule_gives_one_genre_and_is_named() -> None:
    missing = row(themes=("School", "Isekai", "Gag Humor"), demographics=("Shoujo",))
    assert GenreBook([missing]).genres(missing) == (("Fantasy",), "rule:theme-isekai")


def test_without_a_rule_there_is_no_genre() -> None:
    assert GenreBook([]).genres(row(themes=("School",))) == ((), "none")


def test_a_creator_who_works_in_one_genre() -> None:
    works = [row(str(number), genres=("Horror", "Drama") if number else ("Horror",)) for number in range(3)]
    assert GenreBook(works).genres(row("new")) == (("Horror",), "rule:creator")
    assert GenreBook(works[:2]).genres(row("new")) == ((), "none")
    assert GenreBook([*works, row("4", genres=("Comedy",))]).genres(row("new")) == ((), "none")


def test_two_creators_who_differ_decide_nothing() -> None:
    horror = [row(f"h{number}", genres=("Horror",)) for number in range(3)]
    comedy = [
        row(f"c{number}", genres=("Comedy",), credits=(Credit("B", None, "art"),)) for number in range(3)
    ]
    both = row("new", credits=(Credit("A", None, "story"), Credit("B", None, "art")))
    assert GenreBook([*horror, *comedy]).genres(both) == ((), "none")


def test_every_rule_speaks_the_catalogues_language_once() -> None:
    ordered = rules().ordered
    assert len({rule.id for rule in ordered}) == len(ordered)
    assert {rule.genre for rule in ordered} <= terms.known("genres")
    assert {rule.value for rule in ordered if rule.field == "theme"} <= terms.known("themes")
    assert {rule.value for rule in ordered if rule.field == "demographic"} <= terms.known("demographics")


@pytest.mark.parametrize("rule", rules().ordered, ids=lambda rule: rule.id)
def test_a_rule_is_as_good_as_the_bar_it_was_chosen_by(rule: Rule) -> None:
    assert rule.holds >= (0.7 if rule.field == "theme" else 0.8)
    assert rule.of >= (10 if rule.field == "theme" else 15)


def test_rules_hold_on_the_committed_copy() -> None:
    """Where the copy has enough works to tell, a rule is right about most of them."""
    measured = {rule: (share, works) for rule, _, share, works in measure(list(rows()))}
    told = {rule: share for rule, (share, works) in measured.items() if works >= 10}
    assert len(told) > 10
    assert min(told.values()) >= 0.75
    assert measured["creator"] == (rules().creator.holds, rules().creator.of)


def test_a_rule_about_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValueError, match="theme, magazine or demographic"):
        Rule("x", "weather", "rain", "Drama", 1.0, 1).applies(row())
