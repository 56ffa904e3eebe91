"""What a request to Personalize's runtime stands for in IAM's terms."""

from __future__ import annotations

import json

import pytest

from tools.twin.models.demands import demands_of
from tools.twin.permissions import Demand

ARN = "arn:aws:personalize:us-east-1:000000000000:campaign/mangaassist-local-user"


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/recommendations", "personalize:GetRecommendations"),
        ("/personalize-ranking", "personalize:GetPersonalizedRanking"),
    ],
)
@pytest.mark.parametrize("member", ["campaignArn", "recommenderArn"])
def test_an_operation_is_on_the_campaign_it_names(path: str, action: str, member: str) -> None:
    body = json.dumps({member: ARN, "userId": "u"}).encode()
    assert list(demands_of({"path": path, "method": "POST", "headers": []}, body, lambda _: {})) == [
        Demand(action, ARN)
    ]


@pytest.mark.parametrize("body", [b"", b"no json", b"[]", b"{}", b"\xff"])
def test_who_names_no_campaign_needs_leave_for_all(body: bytes) -> None:
    found = list(
        demands_of({"path": "/recommendations", "method": "POST", "headers": []}, body, lambda _: {})
    )
    assert found == [Demand("personalize:GetRecommendations", "*")]
