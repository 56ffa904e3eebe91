"""What a search finds, in which order, and page by page."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mangaassist.catalogue_api.v1 import catalogue_pb2 as pb
from services.catalogue.facts import Series, Volume
from services.catalogue.model import By, Query, ReadModel
from services.catalogue.tokens import Place, page_token, read_page_token
from tests.unit.catalogue_service.pieces import series, volumes_of

ITO = pb.Creator(name="Junji Ito", name_ja="伊藤潤二", also_written="Junji Itou", role="story_and_art")
CLAMP = pb.Creator(name="CLAMP", role="story_and_art")


def model_of(*some: Series) -> ReadModel:
    return ReadModel(
        some,
        [volume for each in some for volume in volumes_of(int(each.series_id[2:]), len(each.listed or ()))],
    )


def found(model: ReadModel, by: By, term: str, *, every: bool = False) -> list[str]:
    return [product.asin for product in model.find(Query(by, term, every), limit=1_000).products]


def series_found(model: ReadModel, by: By, term: str) -> list[int]:
    return [int(product.series_id[2:]) for product in model.find(Query(by, term), limit=1_000).products]


@pytest.fixture
def model() -> ReadModel:
    return model_of(
        series(1, "Uzumaki: Spiral into Horror", romaji="Uzumaki", creators=[ITO], ratings=50),
        series(2, "Spiral", ratings=5, genres=("Mystery",)),
        series(3, "Spiral Shards", ratings=500),
        series(4, "Into the Spiral", ratings=900, genres=("Horror", "Comedy")),
        series(5, "The Promised Neverland", ja="約束のネバーランド", creators=[CLAMP], genres=("Mystery",)),
        series(6, "Tomie", ja="富江", creators=[ITO], ratings=60),
        series(7, "Spirit Circle", ratings=1),
    )


def test_a_book_that_moves_to_another_series_is_found_whichever_is_told_first() -> None:
    model = model_of(series(1, volumes=2), series(2, volumes=1))
    _, moved = volumes_of(1)
    theirs = [*volumes_of(2, 1), Volume(moved.asin, "MG00002", 2, "Vol. 2")]
    listed = tuple(volume.asin for volume in theirs)
    model.put(Series(series(2).message, listed), theirs)
    model.put(series(1, volumes=1), volumes_of(1, 1))
    found = model.product(moved.asin)
    assert found is not None
    assert found.series_id == "MG00002"


@pytest.mark.parametrize("mark", ["ー", "っ", "ッ ー"])
def test_a_mark_without_a_sound_is_no_title(model: ReadModel, mark: str) -> None:
    found_by_it = series_found(model, "title", mark)
    assert set(found_by_it) <= {5}, "the one title that has it, if it has"
    assert series_found(model, "creator", mark) == []


def test_the_whole_title_then_its_beginning_then_its_words_then_how_many_rated_it(model: ReadModel) -> None:
    assert series_found(model, "title", "spiral") == [2, 3, 4, 1]
    assert series_found(model, "title", "spir") == [3, 2, 7]


@pytest.mark.parametrize(
    ("term", "numbers"),
    [
        ("うずまき", [1]),
        ("ウズマキ", [1]),
        ("uzumaki", [1]),
        ("Uzumaki: Spiral Into Horror", [1]),
        ("horror spiral", [1]),
        ("約束のネバーランド", [5]),
        ("ネバーランド", [5]),
        ("約束", [5]),
        ("富", [6]),
        ("thepromised", [5]),
        ("spiralx", []),
        ("ホラー", []),
    ],
)
def test_titles_in_every_script(model: ReadModel, term: str, numbers: list[int]) -> None:
    assert series_found(model, "title", term) == numbers


@pytest.mark.parametrize(
    "term", ["Junji Ito", "ito junji", "伊藤潤二", "伊藤 潤二", "Itou", "伊藤", "junji i"]
)
def test_creators_in_either_order_script_and_spelling(model: ReadModel, term: str) -> None:
    assert series_found(model, "creator", term) == [6, 1]


def test_genres_by_any_word_for_them(model: ReadModel) -> None:
    assert series_found(model, "genre", "ホラー") == series_found(model, "genre", "HORROR") == [4, 3, 6, 1, 7]
    assert series_found(model, "genre", "horror comedy") == [4]
    assert series_found(model, "genre", "no such genre") == []


def test_a_volume_that_is_asked_for(model: ReadModel) -> None:
    assert found(model, "title", "Tomie vol. 2") == ["B000006002"]
    assert found(model, "title", "富江 2巻") == ["B000006002"]
    assert found(model, "title", "Tomie vol. 3") == []


def test_one_volume_of_each_series_or_every_one(model: ReadModel) -> None:
    assert found(model, "creator", "junji ito") == ["B000006001", "B000001001"]
    assert found(model, "creator", "junji ito", every=True) == [
        "B000006001",
        "B000006002",
        "B000001001",
        "B000001002",
    ]
    assert found(model, "series_id", "MG00005") == ["B000005001", "B000005002"]


def test_a_series_that_changes_is_found_by_its_new_facts_alone(model: ReadModel) -> None:
    assert series_found(model, "title", "tomie") == [6]
    model.put(series(6, "Gyo", genres=("Comedy",), volumes=1), volumes_of(6))
    assert series_found(model, "title", "tomie") == []
    assert series_found(model, "creator", "junji ito") == [1]
    assert series_found(model, "title", "gyo") == [6]
    assert 6 not in series_found(model, "genre", "horror")
    # It lists one volume now; the other one's item may lie in the table still.
    assert model.product("B000006002") is None
    assert model.asins("MG00006") == ("B000006001",)


SOME_SERIES = st.lists(
    st.builds(
        series,
        st.integers(1, 40),
        st.sampled_from(["Spiral", "Spiral Shards", "Into the Spiral", "うずまき", "Other"]),
        ratings=st.integers(0, 3),
        average=st.sampled_from([1.0, 3.5]),
        volumes=st.integers(0, 4),
    ),
    max_size=25,
    unique_by=lambda each: each.series_id,
)


@given(
    SOME_SERIES, st.lists(st.integers(1, 5), min_size=1), st.booleans(), st.sampled_from(["title", "genre"])
)
def test_pages_put_together_are_the_whole_answer_without_repetition(
    some: list[Series], sizes: list[int], every: bool, by: By
) -> None:
    model = model_of(*some)
    query = Query(by, "spiral" if by == "title" else "horror", every)
    identity = (query.by, query.term, query.every_volume)
    whole = [product.asin for product in model.find(query, limit=10_000).products]
    paged: list[str] = []
    after: Place | None = None
    for turn in range(len(whole) + 1):
        page = model.find(query, limit=sizes[turn % len(sizes)], after=after)
        paged += [product.asin for product in page.products]
        if page.next_place is None:
            break
        after = read_page_token(page_token(page.next_place, identity), identity)
    assert paged == whole
    assert len(set(whole)) == len(whole)


@given(SOME_SERIES, st.integers(1, 40), st.integers(1, 5))
def test_a_series_added_between_two_pages_repeats_and_hides_nothing_else(
    some: list[Series], number: int, size: int
) -> None:
    model = model_of(*some)
    query = Query("genre", "horror", every_volume=True)
    before = [product.asin for product in model.find(query, limit=10_000).products]
    first = model.find(query, limit=size)
    added = series(number + 100, "Spiral", ratings=2)
    model.put(added, volumes_of(number + 100))
    rest = model.find(query, limit=10_000, after=first.next_place).products if first.next_place else ()
    seen = [product.asin for product in (*first.products, *rest)]
    assert [asin for asin in seen if asin not in (added.listed or ())] == before
    assert len(set(seen)) == len(seen)
