"""Titles for a turn: who proposes, what falls back to what, and what is never shown."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mangaassist.chat.stopwatch import Stopwatch
from mangaassist.errors import DeadlineExceeded, DependencyError, DependencyThrottled, DependencyUnavailable
from mangaassist.recommendations.facts import Recommended, Wish
from mangaassist.recommendations.recommendations import MOST_CONSIDERED
from mangaassist.store.facts import Profile
from tests.unit.recommendations.pieces import FakeRecommender, Store, asin, offer, product, signals

GROWN_UP = Profile("customer-0001", "en", mature_allowed=True)


async def titles(store: Store, wish: Wish, **changes: int) -> Recommended:
    return await store.recommendations(**changes).for_turn(wish, Stopwatch(60_000))


def numbers(found: Recommended) -> list[int]:
    return [int(each.asin[-4:]) for each in found.items]


@pytest.mark.req("CAT-4")
async def test_similar_titles_come_in_turn_before_those_for_the_shopper() -> None:
    store = Store(
        FakeRecommender(personal=[asin(9)], similar={asin(1): [asin(3), asin(4)], asin(2): [asin(5)]})
    )
    found = await titles(store, Wish(shopper="customer-0001", like=(asin(1), asin(2)), limit=4))
    assert [(each.asin, each.reason, each.seed, each.rank) for each in found.items] == [
        (asin(3), "similar", asin(1), 1),
        (asin(5), "similar", asin(2), 2),
        (asin(4), "similar", asin(1), 3),
        (asin(9), "for_you", None, 4),
    ]
    assert {each.source for each in found.items} == {"personalize"}
    assert found.degraded == ()
    first = found.items[0]
    assert first.product is not None
    assert first.offer is not None
    assert first.product.asin == first.offer.asin == asin(3)


@pytest.mark.req("CAT-4", "RES-4")
@pytest.mark.parametrize(
    "failure", [DependencyThrottled("personalize", "slow down"), DependencyUnavailable("personalize", "503")]
)
async def test_a_failing_recommender_leaves_what_is_popular_and_says_so(failure: Exception) -> None:
    store = Store(FakeRecommender(failure=failure))
    found = await titles(store, Wish(shopper="s", limit=3))
    assert [each.source for each in found.items] == ["popularity"] * 3
    assert found.degraded == ("recommendations",)
    assert [part for part, _ in store.fallbacks] == ["recommendations"]


@pytest.mark.req("CAT-4")
async def test_a_silent_recommender_is_waited_for_no_longer_than_its_budget() -> None:
    store = Store(FakeRecommender(is_silent=True))
    found = await titles(store, Wish(shopper="s", limit=3), budget_ms=1)
    assert [each.source for each in found.items] == ["popularity"] * 3
    assert store.fallbacks == [("recommendations", "late")]


async def test_without_a_recommender_popularity_is_no_degradation() -> None:
    found = await titles(Store(has_recommender=False), Wish(shopper="s", limit=2))
    assert [each.source for each in found.items] == ["popularity"] * 2
    assert found.degraded == ()


async def test_popular_titles_fill_up_what_filters_left() -> None:
    store = Store(FakeRecommender(personal=[asin(1), asin(2)]))
    found = await titles(store, Wish(shopper="s", limit=4))
    assert [each.source for each in found.items] == ["personalize"] * 2 + ["popularity"] * 2
    assert found.degraded == ()


async def test_one_seed_that_fails_spares_the_others() -> None:
    class Moody(FakeRecommender):
        async def similar_to(self, asin: str, *, limit: int, deadline_ms: int) -> tuple[str, ...]:
            if asin.endswith("1"):
                raise DependencyUnavailable("personalize", "500")
            return await super().similar_to(asin, limit=limit, deadline_ms=deadline_ms)

    store = Store(Moody(similar={asin(2): [asin(4)]}))
    found = await titles(store, Wish(like=(asin(1), asin(2)), limit=1))
    assert (found.items[0].asin, found.items[0].source) == (asin(4), "personalize")
    assert found.degraded == ("recommendations",)


async def test_nobody_in_particular_is_not_asked_about() -> None:
    store = Store(FakeRecommender(personal=[asin(1)]))
    await titles(store, Wish(limit=1))
    assert store.recommender.asked == []


@pytest.mark.req("CAT-4", "GRD-7")
async def test_what_cannot_be_had_or_trusted_is_not_shown() -> None:
    store = Store(FakeRecommender(personal=[asin(number) for number in range(1, 9)]))
    store.pricing.stock = {**store.pricing.stock, asin(1): offer(1, stock=0)}
    store.pricing.vouched = {**store.pricing.vouched, asin(2): signals(2, score=0.49)}
    del store.pricing.stock[asin(3)]
    del store.pricing.vouched[asin(4)]
    store.products.products = [
        replace(each, buyable=False) if each.asin == asin(5) else each
        for each in store.products.products
        if each.asin != asin(6)
    ]
    found = await titles(store, Wish(shopper="s", limit=2))
    assert numbers(found) == [7, 8]


async def test_owned_shown_and_named_titles_are_left_out() -> None:
    store = Store(FakeRecommender(personal=[asin(1), asin(2), asin(3), asin(4)]))
    wish = Wish(shopper="s", like=(asin(1),), without=frozenset({asin(2), asin(100)}), limit=3)
    assert numbers(await titles(store, wish)) == [3, 4, 101]


@pytest.mark.parametrize(("profile", "shown"), [(None, False), (GROWN_UP, True)])
async def test_mature_titles_are_for_those_who_allow_them(profile: Profile | None, shown: bool) -> None:
    store = Store(FakeRecommender(personal=[asin(103)]))
    found = await titles(store, Wish(shopper="s", profile=profile))
    assert (asin(103) in [each.asin for each in found.items]) is shown


async def test_only_the_genres_asked_for() -> None:
    store = Store(FakeRecommender(personal=[asin(1), asin(2), asin(3)]))
    found = await titles(store, Wish(shopper="s", genres=("Romance",), limit=3))
    assert numbers(found) == [2, 100, 102]
    assert store.recommender.asked == [("user", "s", ("Romance",))]


@pytest.mark.req("RES-4")
async def test_while_the_catalogue_is_silent_only_titles_known_to_be_suitable_are_shown() -> None:
    store = Store(FakeRecommender(personal=[asin(1)]))
    store.products.failure = DependencyUnavailable("catalogue", "503")
    found = await titles(store, Wish(shopper="s", genres=("Horror",), limit=5))
    assert numbers(found) == [101, 105, 107, 109, 111]
    assert {each.source for each in found.items} == {"popularity"}
    assert all(each.product is None and each.offer is not None for each in found.items)
    assert found.degraded == ("catalogue",)


@pytest.mark.req("RES-4")
async def test_while_pricing_is_silent_titles_come_without_offers() -> None:
    store = Store(FakeRecommender(personal=[asin(1)]))
    store.pricing.failure = DependencyUnavailable("pricing", "503")
    found = await titles(store, Wish(shopper="s", limit=1))
    assert (found.items[0].asin, found.items[0].offer) == (asin(1), None)
    assert found.degraded == ("pricing", "trust")


async def test_signals_that_cannot_be_had_condemn_nothing() -> None:
    store = Store(FakeRecommender(personal=[asin(1)]))
    store.pricing.trust_failure = DependencyThrottled("pricing", "429")
    found = await titles(store, Wish(shopper="s", limit=1))
    assert (numbers(found), found.degraded) == ([1], ("trust",))


@pytest.mark.req("RES-4")
async def test_everything_failing_at_once_still_recommends() -> None:
    store = Store(FakeRecommender(failure=DependencyUnavailable("personalize", "500")))
    store.products.failure = DependencyUnavailable("catalogue", "503")
    store.pricing.failure = DependencyUnavailable("pricing", "503")
    found = await titles(store, Wish(shopper="s", limit=3))
    assert numbers(found) == [100, 101, 102]
    assert found.degraded == ("recommendations", "catalogue", "pricing", "trust")


async def test_the_same_answers_give_the_same_titles() -> None:
    store = Store(FakeRecommender(personal=[asin(n) for n in (7, 3, 9, 1)], similar={asin(2): [asin(4)]}))
    wish = Wish(shopper="s", like=(asin(2),))
    assert await titles(store, wish) == await titles(store, wish)


@pytest.mark.req("CAT-4")
async def test_ten_titles_hold_no_more_than_three_of_a_series() -> None:
    store = Store(FakeRecommender(personal=[asin(number) for number in range(1, 21)]))
    store.products.products = [
        product(number, series="BIG" if number <= 20 else "", genres=("Horror",)) for number in range(1, 41)
    ] + [each for each in store.products.products if each.asin >= asin(100)]
    found = await titles(store, Wish(shopper="s", limit=10))
    series = [each.product.series_id for each in found.items if each.product is not None]
    assert (len(series), series.count("BIG")) == (10, 3)


async def test_a_limit_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="limit"):
        await titles(Store(), Wish(limit=0))


async def test_a_turn_without_time_is_told_so() -> None:
    clock = iter([0.0, *[5.0] * 20])
    with pytest.raises(DeadlineExceeded):
        await Store().recommendations().for_turn(Wish(shopper="s"), Stopwatch(1_000, lambda: next(clock)))


async def test_a_question_falls_back_once_however_many_calls_it_takes() -> None:
    store = Store(FakeRecommender(failure=DependencyError("personalize", "down")))
    await titles(store, Wish(shopper="s", like=(asin(1), asin(2), asin(3)), limit=3))
    assert len(store.recommender.asked) == 4
    assert store.fallbacks == [("recommendations", "down")]


async def test_the_facts_of_a_question_are_one_call_of_each_service() -> None:
    store = Store()
    many = [f"B1{number:08}" for number in range(80)]
    store.recommender.similar = {asin(1): many, asin(2): many[::-1]}
    store.recommender.personal = many
    wish = Wish(shopper="s", like=(asin(1), asin(2)), genres=("Horror",), other_series=True)
    await store.recommendations().for_turn(wish, Stopwatch(5_000))
    (facts,) = store.products.asked
    assert isinstance(facts, tuple)
    assert len(facts) == len(set(facts)) <= MOST_CONSIDERED
    assert {asin(1), asin(2)} <= set(facts)


async def test_other_series_than_those_shown_or_looked_at() -> None:
    store = Store()
    store.products.products = [
        *store.products.products[4:],
        product(1, series="A"),
        product(2, series="A"),
        product(3, series="B"),
        product(4, series="B"),
    ]
    store.recommender.similar = {asin(1): [asin(2), asin(4), asin(5)]}
    wish = Wish(like=(asin(1),), without=frozenset({asin(3)}), limit=1)
    found = await store.recommendations().for_turn(wish, Stopwatch(5_000))
    assert [each.asin for each in found.items] == [asin(2)]
    found = await store.recommendations().for_turn(replace(wish, other_series=True), Stopwatch(5_000))
    assert [each.asin for each in found.items] == [asin(5)]
