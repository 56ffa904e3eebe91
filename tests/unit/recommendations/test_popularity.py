"""The list that the layer carries."""

from __future__ import annotations

import re

from mangaassist.recommendations.popularity import shipped


def test_every_title_can_be_recommended() -> None:
    titles = shipped().titles
    assert len(titles) >= 200
    assert all(re.fullmatch(r"[A-Z0-9]{10}", title.asin) for title in titles)
    assert len({title.asin for title in titles}) == len({title.series_id for title in titles}) == len(titles)


def test_usual_genres_have_enough_titles_for_ten() -> None:
    for genre in ("Horror", "Romance", "Sports", "Mystery", "Boys Love", "Gourmet"):
        suitable = [title for title in shipped().most_read([genre]) if not title.mature]
        assert len(suitable) >= 10, genre


def test_genres_narrow_and_keep_the_order() -> None:
    everything, some = shipped().most_read(), shipped().most_read(["Horror", "Sports"])
    assert [title for title in everything if {"Horror", "Sports"} & set(title.genres)] == list(some)


def test_a_title_is_found_by_its_asin() -> None:
    title = shipped().titles[7]
    assert shipped().get(title.asin) == title
    assert shipped().get("B000000000") is None
