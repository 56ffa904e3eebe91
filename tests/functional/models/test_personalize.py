"""Personalize's runtime as an unmodified SDK sees it, and the product's recommendations over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from botocore.exceptions import ClientError

from mangaassist.adapters.personalize_runtime import Campaigns, PersonalizeRuntime
from mangaassist.chat.stopwatch import Stopwatch
from mangaassist.errors import DependencyError
from mangaassist.recommendations.facts import Recommended, Wish
from mangaassist.recommendations.popularity import shipped
from mangaassist.recommendations.recommendations import Recommendations
from mangaassist.store.unconnected import NoPricing, NoProducts
from tests.functional.models.conftest import LEAKS_OF_THE_SDK, Runtime, sdk_client
from tools.recommender.model import Model

pytestmark = pytest.mark.filterwarnings(LEAKS_OF_THE_SDK)

ARN = "arn:aws:personalize:us-east-1:000000000000"
USER, SIMILAR, RANKING = (
    f"{ARN}:campaign/mangaassist-local-{kind}" for kind in ("user", "similar", "ranking")
)
FILTER = f"{ARN}:filter/mangaassist-local-genres"
SHOPPER = "shopper-00007"


@pytest.fixture
def personalize(runtime: Runtime) -> Iterator[Any]:
    with sdk_client(runtime, "personalize-runtime") as client:
        yield client


@pytest.fixture(scope="module")
def model(models_folder: Path) -> Model:
    return Model.load(models_folder)


def ids(answer: Any, member: str = "itemList") -> list[str]:
    return [item["itemId"] for item in answer[member]]


def genres_of(model: Model, asin: str) -> set[str]:
    series = model.series_of(asin)
    assert series is not None
    return set(model.genre_names[model.genres[series]].tolist())


@pytest.mark.req("CAT-4")
def test_a_known_shopper_gets_titles_of_their_own(personalize: Any, model: Model) -> None:
    answer = personalize.get_recommendations(campaignArn=USER, userId=SHOPPER, numResults=30)
    assert len(set(ids(answer))) == 30
    assert answer["recommendationId"]
    scores = [item["score"] for item in answer["itemList"]]
    assert scores == sorted(scores, reverse=True)
    assert 0 < sum(scores) <= 1
    bought = {str(model.asins[place]) for place in model.bought(SHOPPER)}
    assert bought.isdisjoint(ids(answer))
    stranger = personalize.get_recommendations(campaignArn=USER, userId="session-of-nobody", numResults=30)
    assert ids(answer) != ids(stranger)


def test_the_partners_customers_are_known(personalize: Any, model: Model) -> None:
    assert model.knows("customer-0001")
    mine = personalize.get_recommendations(campaignArn=USER, userId="customer-0001")
    others = personalize.get_recommendations(campaignArn=USER, userId="customer-0002")
    assert len(mine["itemList"]) == len(others["itemList"]) == 25
    assert ids(mine) != ids(others)


def test_the_same_question_has_the_same_titles_and_another_id(personalize: Any) -> None:
    one, other = (personalize.get_recommendations(campaignArn=USER, userId=SHOPPER) for _ in range(2))
    assert one["itemList"] == other["itemList"]
    assert one["recommendationId"] != other["recommendationId"]


@pytest.mark.req("CAT-4")
def test_a_new_shoppers_context_counts(personalize: Any, model: Model) -> None:
    answer = personalize.get_recommendations(
        campaignArn=USER, userId="new", numResults=10, context={"GENRE": "Horror|Mystery"}
    )
    assert all(genres_of(model, asin) & {"Horror", "Mystery"} for asin in ids(answer)[:5])
    plain = personalize.get_recommendations(campaignArn=USER, userId="new", numResults=10)
    assert ids(plain) != ids(answer)


@pytest.mark.parametrize(
    "asked", [{"campaignArn": USER, "userId": SHOPPER}, {"campaignArn": SIMILAR, "itemId": "B000000000"}]
)
def test_a_filter_leaves_nothing_else(personalize: Any, model: Model, asked: dict[str, str]) -> None:
    answer = personalize.get_recommendations(
        **asked, numResults=500, filterArn=FILTER, filterValues={"GENRES": '"Sports","Gourmet"'}
    )
    assert ids(answer)
    assert all(genres_of(model, asin) & {"Sports", "Gourmet"} for asin in ids(answer))


@pytest.mark.req("CAT-4")
def test_like_a_title_is_its_next_volume_and_series_like_it(personalize: Any, model: Model) -> None:
    series = int((model.starts[1:] - model.starts[:-1]).argmax())
    first, second = (str(model.asins[model.starts[series] + place]) for place in range(2))
    answer = personalize.get_recommendations(campaignArn=SIMILAR, itemId=first, numResults=10)
    assert ids(answer)[0] == second
    assert first not in ids(answer)
    assert len({model.series_of(asin) for asin in ids(answer)}) == 10
    near = sum(bool(genres_of(model, asin) & genres_of(model, first)) for asin in ids(answer)[1:])
    assert near >= 5


def test_an_unknown_item_gets_what_is_popular(personalize: Any) -> None:
    unknown = personalize.get_recommendations(campaignArn=SIMILAR, itemId="B000000000")
    stranger = personalize.get_recommendations(campaignArn=USER, userId="nobody")
    assert ids(unknown) == ids(stranger)


def test_ranking_orders_what_it_is_given(personalize: Any) -> None:
    best = ids(personalize.get_recommendations(campaignArn=USER, userId=SHOPPER, numResults=60))
    given = ["B000000000", best[50], best[20], best[10]]
    answer = personalize.get_personalized_ranking(campaignArn=RANKING, userId=SHOPPER, inputList=given)
    assert ids(answer, "personalizedRanking") == [best[10], best[20], best[50], "B000000000"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"campaignArn": f"{ARN}:campaign/other", "userId": "u"}, "ResourceNotFoundException"),
        ({"recommenderArn": f"{ARN}:recommender/mangaassist-local-user", "userId": "u"}, "ResourceNotFoundException"),
        ({"campaignArn": USER, "userId": "u", "filterArn": f"{ARN}:filter/x"}, "ResourceNotFoundException"),
        ({"campaignArn": USER, "userId": "u", "numResults": 501}, "InvalidInputException"),
        ({"campaignArn": USER}, "InvalidInputException"),
        ({"campaignArn": SIMILAR, "userId": "u"}, "InvalidInputException"),
        ({"campaignArn": USER, "userId": "u" * 257}, "InvalidInputException"),
        ({"campaignArn": RANKING, "userId": "u"}, "InvalidInputException"),
        ({"campaignArn": "mangaassist-local-user", "userId": "u"}, "InvalidInputException"),
        ({"userId": "u"}, "InvalidInputException"),
        ({"campaignArn": USER, "userId": "u", "filterValues": {"GENRES": '"Horror"'}}, "InvalidInputException"),
        ({"campaignArn": USER, "userId": "u", "filterArn": FILTER}, "InvalidInputException"),
        (
            {"campaignArn": USER, "userId": "u", "filterArn": FILTER, "filterValues": {"GENRES": "Horror"}},
            "InvalidInputException",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_the_services_words(
    personalize: Any, asked: dict[str, Any], code: str
) -> None:
    with pytest.raises(ClientError) as refused:
        personalize.get_recommendations(**asked)
    assert refused.value.response["Error"]["Code"] == code
    assert refused.value.response["Error"]["Message"]
    status = {"ResourceNotFoundException": 404, "InvalidInputException": 400}[code]
    assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


@pytest.mark.parametrize("given", [[], ["B000000001"] * 501, [""]])
def test_a_ranking_of_nothing_or_too_much_is_refused(personalize: Any, given: list[str]) -> None:
    with pytest.raises(ClientError, match="InvalidInputException"):
        personalize.get_personalized_ranking(campaignArn=RANKING, userId="u", inputList=given)


@pytest.mark.parametrize("path", ["/recommendations", "/personalize-ranking"])
def test_unsigned_requests_are_refused(runtime: Runtime, path: str) -> None:
    answer = httpx.post(f"{runtime.url}{path}", json={"campaignArn": USER, "userId": "u"})
    assert answer.status_code == 403
    assert answer.headers["x-amzn-errortype"].startswith("MissingAuthenticationTokenException")


@pytest.mark.parametrize("body", [b"no json", b"[]", b'"x"'])
def test_a_body_that_is_no_request_is_refused(runtime: Runtime, body: bytes) -> None:
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=test/20261121/us-east-1/personalize/aws4_request"}
    answer = httpx.post(f"{runtime.url}/recommendations", content=body, headers=signed)
    assert (answer.status_code, answer.headers["x-amzn-errortype"].split(":")[0]) == (
        400,
        "SerializationException",
    )


# --- the product over it ----------------------------------------------------------------------------


class Everything:
    """Fallbacks that were taken."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []

    def __call__(self, part: str, reason: str) -> None:
        self.taken.append((part, reason))


async def recommended(
    client: Any, told: Everything, wish: Wish, *, budget_ms: int = 20_000, **campaigns: str
) -> Recommended:
    deployed = Campaigns(**{"user": USER, "similar": SIMILAR, "genre_filter": FILTER, **campaigns})
    service = Recommendations(
        recommender=PersonalizeRuntime(client, deployed),
        products=NoProducts(),
        pricing=NoPricing(),
        on_fallback=told,
        budget_ms=budget_ms,
    )
    return await service.for_turn(wish, Stopwatch(60_000))


@pytest.mark.req("CAT-4")
async def test_titles_come_from_the_campaigns(personalize: Any) -> None:
    # Without a catalogue only titles of the shipped list can be checked for maturity: one of them is the seed's kind.
    told, seed = Everything(), shipped().titles[0].asin
    found = await recommended(personalize, told, Wish(shopper=SHOPPER, like=(seed,), limit=10))
    assert len(found.items) == 10
    assert found.items[0].source == "personalize"
    assert "recommendations" not in found.degraded
    assert {"catalogue", "pricing", "trust"} == set(found.degraded)


@pytest.mark.req("CAT-4", "RES-5")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ({"kind": "throttle"}, "ThrottlingException"),
        ({"kind": "error"}, "InternalServerException"),
        ({"kind": "garbage"}, "unreadable response"),
        ({"kind": "truncate"}, None),
    ],
)
async def test_a_broken_service_means_popularity_and_is_named(
    runtime: Runtime, personalize: Any, fault: dict[str, Any], reason: str | None
) -> None:
    runtime.control.put("/_twin/faults/personalize-runtime", json=fault).raise_for_status()
    told = Everything()
    found = await recommended(personalize, told, Wish(shopper=SHOPPER, limit=5))
    assert [item.source for item in found.items] == ["popularity"] * 5
    assert "recommendations" in found.degraded
    part, why = told.taken[0]
    assert part == "recommendations"
    assert reason is None or why == reason


@pytest.mark.req("RES-5")
async def test_a_slow_service_is_not_waited_for(runtime: Runtime) -> None:
    slow = {"kind": "delay", "delay_ms": 60_000}
    runtime.control.put("/_twin/faults/personalize-runtime", json=slow).raise_for_status()
    told, client = Everything(), runtime.client("personalize-runtime", read_timeout=0.2)
    found = await recommended(client, told, Wish(shopper=SHOPPER, limit=5), budget_ms=50)
    assert [item.source for item in found.items] == ["popularity"] * 5
    assert told.taken[0][0] == "recommendations"
    with pytest.raises(DependencyError):
        await PersonalizeRuntime(client, Campaigns(user=USER)).for_user("u", limit=1, deadline_ms=20_000)
    client.close()


async def test_an_unknown_campaign_means_popularity(personalize: Any) -> None:
    told = Everything()
    found = await recommended(personalize, told, Wish(shopper="u", limit=3), user=f"{ARN}:campaign/gone")
    assert [item.source for item in found.items] == ["popularity"] * 3
    assert told.taken[0] == ("recommendations", "ResourceNotFoundException")


def test_a_fault_of_personalize_spares_the_others(runtime: Runtime, sagemaker: Any) -> None:
    runtime.control.put("/_twin/faults/personalize-runtime", json={"kind": "error"}).raise_for_status()
    sagemaker.invoke_endpoint(EndpointName="mangaassist-local-intent", Body=b'{"inputs": "x"}')
