"""Personalize's runtime over the project's own recommender: GetRecommendations and GetPersonalizedRanking.

A campaign is known by the end of its name: ``…-user`` (recipe USER_PERSONALIZATION), ``…-similar`` (RELATED_ITEMS) and
``…-ranking`` (PERSONALIZED_RANKING); the one filter, ``…-genres``, is ``INCLUDE ItemID WHERE Items.GENRES IN ($GENRES)``.
The contextual field ``GENRE`` holds what a shopper asks for, parted by ``|``.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Sequence
from typing import Any, Final, Literal

from tools.recommender.model import Model, Scored
from tools.twin.models.errors import ServiceError

Kind = Literal["user", "similar", "ranking"]

MOST_RESULTS: Final = 500
USUAL_RESULTS: Final = 25
LONGEST_ID: Final = 256
LONGEST_ARN: Final = 256
CONTEXT: Final = "GENRE"
FILTER_PARAMETER: Final = "GENRES"

_ARN = re.compile(r"arn:[a-z\d-]+:personalize:.*:.*:.+")
_CAMPAIGN = re.compile(
    r"arn:[a-z\d-]+:personalize:[a-z\d-]+:\d{12}:campaign/mangaassist-[\w-]+-(?P<kind>user|similar|ranking)"
)
_FILTER = re.compile(r"arn:[a-z\d-]+:personalize:[a-z\d-]+:\d{12}:filter/mangaassist-[\w-]+-genres")
_QUOTED = re.compile(r"""\s*(["'])(?P<value>[^"']*)\1\s*""")


def recommend(model: Model, body: bytes) -> dict[str, Any]:
    """The answer of ``POST /recommendations``; raises ``ServiceError`` as the service words it."""
    asked = _document(body)
    kind = _campaign(asked, ("user", "similar"))
    limit = _limit(asked)
    only = _filtered(asked)
    if kind == "user":
        # A known shopper's context adds to the history; a new one's is all there is.
        wanted = [genre for genre in _map(asked, "context").get(CONTEXT, "").split("|") if genre]
        items = model.for_shopper(_id(asked, "userId"), limit, wanted=wanted, only=only)
    else:
        items = model.similar(_id(asked, "itemId"), limit, only=only)
    return {"itemList": _items(items), "recommendationId": _recommendation_id()}


def rank(model: Model, body: bytes) -> dict[str, Any]:
    """The answer of ``POST /personalize-ranking``."""
    asked = _document(body)
    _campaign(asked, ("ranking",))
    shopper = _id(asked, "userId")
    given: object = asked.get("inputList")
    if not isinstance(given, list) or not given:
        raise _invalid("inputList: give the ids of 1 to 500 items to rank")
    if len(given) > MOST_RESULTS:
        raise _invalid(f"inputList has {len(given)} items; the most is {MOST_RESULTS}")
    if not all(isinstance(asin, str) and 0 < len(asin) <= LONGEST_ID for asin in given):
        raise _invalid(f"inputList: an item id is text of 1 to {LONGEST_ID} characters")
    only = _filtered(asked)
    ranked = model.ranked(shopper, given)
    if only:
        ranked = [(asin, score) for asin, score in ranked if model.is_of(asin, only)]
    return {"personalizedRanking": _items(ranked), "recommendationId": _recommendation_id()}


def _document(body: bytes) -> dict[str, Any]:
    try:
        asked = json.loads(body or b"{}")
    except ValueError:
        raise ServiceError("SerializationException", "the body is not JSON") from None
    if not isinstance(asked, dict):
        raise ServiceError("SerializationException", "the body is not a JSON object")
    return asked


def _campaign(asked: dict[str, Any], kinds: Sequence[Kind]) -> Kind:
    """The kind of the campaign that is asked, one that has this operation."""
    given = [asked[name] for name in ("campaignArn", "recommenderArn") if asked.get(name) is not None]
    if len(given) != 1:
        raise _invalid("give either a campaignArn or a recommenderArn")
    arn = _arn(given[0])
    found = _CAMPAIGN.fullmatch(arn)
    if found is None or asked.get("campaignArn") is None:
        what = "Campaign" if asked.get("campaignArn") else "Recommender"
        raise ServiceError("ResourceNotFoundException", f"{what} {arn} not found.")
    for kind in kinds:
        if kind == found["kind"]:
            return kind
    raise _invalid(f"the recipe of campaign {arn} does not support this operation")


def _arn(given: object) -> str:
    if not isinstance(given, str) or len(given) > LONGEST_ARN or not _ARN.fullmatch(given):
        raise _invalid("an ARN of Personalize looks like arn:aws:personalize:REGION:ACCOUNT:campaign/NAME")
    return given


def _limit(asked: dict[str, Any]) -> int:
    number: object = asked.get("numResults")
    if number is None or number == 0:
        return USUAL_RESULTS
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number <= MOST_RESULTS:
        raise _invalid(f"numResults is a whole number from 0 to {MOST_RESULTS}")
    return number


def _id(asked: dict[str, Any], name: str) -> str:
    given: object = asked.get(name)
    if not isinstance(given, str) or not 0 < len(given) <= LONGEST_ID:
        raise _invalid(
            f"{name} is required by the recipe of this campaign: text of 1 to {LONGEST_ID} characters"
        )
    return given


def _filtered(asked: dict[str, Any]) -> list[str]:
    """Genres of which an item must have one; none without a filter."""
    values = _map(asked, "filterValues")
    if asked.get("filterArn") is None:
        if values:
            raise _invalid("filterValues need a filterArn")
        return []
    arn = _arn(asked["filterArn"])
    if _FILTER.fullmatch(arn) is None:
        raise ServiceError("ResourceNotFoundException", f"Filter {arn} not found.")
    if set(values) != {FILTER_PARAMETER}:
        raise _invalid(f"the filter has one parameter, {FILTER_PARAMETER}")
    parts = [_QUOTED.fullmatch(part) for part in values[FILTER_PARAMETER].split(",")]
    genres = [part["value"] for part in parts if part is not None and part["value"]]
    if len(genres) != len(parts):
        raise _invalid(f'{FILTER_PARAMETER} is a list of quoted values such as "Horror","Mystery"')
    return genres


def _map(asked: dict[str, Any], name: str) -> dict[str, str]:
    given = asked.get(name)
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        raise _invalid(f"{name} is an object of texts")
    return given


def _items(scored: Scored) -> list[dict[str, Any]]:
    return [{"itemId": asin, "score": round(score, 7)} for asin, score in scored]


def _recommendation_id() -> str:
    """Opaque, as the service's: a new one for every answer."""
    return f"RID-{uuid.uuid4()}"


def _invalid(message: str) -> ServiceError:
    return ServiceError("InvalidInputException", message)
