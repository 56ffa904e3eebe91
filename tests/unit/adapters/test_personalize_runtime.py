"""What is asked of Personalize, and what its answers and failures become."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from mangaassist.adapters.personalize_runtime import THREADS, Campaigns, PersonalizeRuntime
from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout, DependencyUnavailable
from mangaassist.resilience.breaker import RequestRefused

ARN = "arn:aws:personalize:us-east-1:111122223333"
CAMPAIGNS = Campaigns(user=f"{ARN}:campaign/u", similar=f"{ARN}:campaign/s")
ANSWER = {
    "itemList": [{"itemId": "B000000001", "score": 0.5}, {"itemId": "B000000002"}],
    "recommendationId": "r",
}


async def test_titles_for_a_shopper(stubbed: Any) -> None:
    client, stub = stubbed("personalize-runtime")
    expected = {"campaignArn": CAMPAIGNS.user, "userId": "session-1", "numResults": 7}
    stub.add_response("get_recommendations", ANSWER, expected)
    found = await PersonalizeRuntime(client, CAMPAIGNS).for_user("session-1", limit=7, deadline_ms=5_000)
    assert found == ("B000000001", "B000000002")


async def test_genres_go_where_the_deployment_has_a_place_for_them(stubbed: Any) -> None:
    client, stub = stubbed("personalize-runtime")
    campaigns = Campaigns(user=f"{ARN}:campaign/u", genre_filter=f"{ARN}:filter/g", genre_context="GENRE")
    expected = {
        "campaignArn": f"{ARN}:campaign/u",
        "userId": "u",
        "numResults": 1,
        "filterArn": f"{ARN}:filter/g",
        "filterValues": {"GENRES": '"Horror","Slice of Life"'},
        "context": {"GENRE": "Horror|Slice of Life"},
    }
    stub.add_response("get_recommendations", ANSWER, expected)
    genres = ("Horror", "Slice of Life")
    found = await PersonalizeRuntime(client, campaigns).for_user(
        "u", limit=1, genres=genres, deadline_ms=5_000
    )
    assert found == ("B000000001",), "no more than were asked for, whatever the service sends"


async def test_a_domain_recommender_is_asked_by_its_own_member_and_never_for_too_many(stubbed: Any) -> None:
    client, stub = stubbed("personalize-runtime")
    arn = f"{ARN}:recommender/more-like-x"
    expected = {"recommenderArn": arn, "itemId": "B000000009", "numResults": 500}
    stub.add_response("get_recommendations", ANSWER, expected)
    adapter = PersonalizeRuntime(client, Campaigns(similar=arn))
    assert len(await adapter.similar_to("B000000009", limit=9_999, deadline_ms=5_000)) == 2


async def test_what_is_not_deployed_is_not_asked(stubbed: Any) -> None:
    client, _ = stubbed("personalize-runtime")
    adapter = PersonalizeRuntime(client, Campaigns())
    assert await adapter.for_user("u", limit=1, deadline_ms=5_000) == ()
    assert await adapter.similar_to("B000000009", limit=1, deadline_ms=5_000) == ()


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("ThrottlingException", 400, DependencyThrottled),
        ("InternalServerException", 500, DependencyUnavailable),
        ("ResourceNotFoundException", 404, DependencyError),
        ("InvalidInputException", 400, RequestRefused),
    ],
)
async def test_failures_in_the_products_vocabulary(
    stubbed: Any, code: str, status: int, error: type[DependencyError]
) -> None:
    client, stub = stubbed("personalize-runtime")
    stub.add_client_error("get_recommendations", code, "secret words", http_status_code=status)
    with pytest.raises(DependencyError) as failed:
        await PersonalizeRuntime(client, CAMPAIGNS).for_user("u", limit=1, deadline_ms=5_000)
    assert type(failed.value) is error
    assert (failed.value.dependency, failed.value.reason) == ("personalize", code)


class Canned:
    """A client that answers with what no SDK should let through."""

    def __init__(self, answer: object) -> None:
        self._answer = answer

    def get_recommendations(self, **_: object) -> object:
        return self._answer


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"itemList": None},
        {"itemList": ["B000000001"]},
        {"itemList": [{}]},
        {"itemList": [{"itemId": ""}]},
    ],
)
async def test_an_unreadable_answer_is_a_failure(answer: object) -> None:
    with pytest.raises(DependencyError, match="unreadable response"):
        await PersonalizeRuntime(Canned(answer), CAMPAIGNS).for_user("u", limit=1, deadline_ms=5_000)


async def test_no_time_is_a_timeout_and_no_call() -> None:
    with pytest.raises(DependencyTimeout):
        await PersonalizeRuntime(Canned(ANSWER), CAMPAIGNS).for_user("u", limit=1, deadline_ms=0)


async def test_a_limit_of_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="limit"):
        await PersonalizeRuntime(Canned(ANSWER), CAMPAIGNS).for_user("u", limit=0, deadline_ms=5_000)


class Hanging:
    """A client whose every call hangs until ``let_go``."""

    def __init__(self) -> None:
        self.let_go = threading.Event()

    def get_recommendations(self, **_: object) -> object:
        self.let_go.wait()
        return ANSWER


@pytest.mark.req("RES-5")
async def test_calls_that_hang_leave_the_loops_threads_to_others() -> None:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    client = Hanging()
    adapter = PersonalizeRuntime(client, CAMPAIGNS)
    try:
        asking = [adapter.for_user("u", limit=1, deadline_ms=1) for _ in range(THREADS + 1)]
        late = await asyncio.gather(*asking, return_exceptions=True)
        assert {type(each) for each in late} == {DependencyTimeout}
        async with asyncio.timeout(5):
            assert await asyncio.to_thread(lambda: "posted") == "posted"
    finally:
        client.let_go.set()
