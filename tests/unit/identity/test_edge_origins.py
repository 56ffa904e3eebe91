"""The header that CloudFront sends is changed for every origin that has it, and nothing else is."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from botocore.exceptions import ClientError

from mangaassist.adapters.edge_origins import EdgeOrigins
from mangaassist.errors import DependencyError, RotationRefused
from mangaassist.identity.origin import HEADER


def _origin(name: str, **headers: str) -> dict[str, Any]:
    items = [{"HeaderName": key, "HeaderValue": value} for key, value in headers.items()]
    return {
        "Id": name,
        "CustomHeaders": {"Quantity": len(items), "Items": items} if items else {"Quantity": 0},
    }


class CloudFront:
    """One distribution, guarded by its tag as CloudFront does."""

    def __init__(self, *origins: dict[str, Any]) -> None:
        self.config = {"Comment": "page", "Origins": {"Quantity": len(origins), "Items": list(origins)}}
        self.updates = 0
        self.changed_meanwhile = False

    def get_distribution_config(self, *, Id: str) -> dict[str, Any]:
        assert Id == "E123"
        return {"DistributionConfig": copy.deepcopy(self.config), "ETag": f"tag {self.updates}"}

    def update_distribution(self, *, Id: str, IfMatch: str, DistributionConfig: dict[str, Any]) -> None:
        if self.changed_meanwhile or IfMatch != f"tag {self.updates}":
            raise ClientError({"Error": {"Code": "PreconditionFailed"}}, "UpdateDistribution")
        self.updates += 1
        self.config = DistributionConfig


def _values(cloudfront: CloudFront) -> list[list[str]]:
    return [
        [header["HeaderValue"] for header in origin["CustomHeaders"].get("Items", [])]
        for origin in cloudfront.config["Origins"]["Items"]
    ]


@pytest.mark.req("SEC-6")
def test_every_origin_with_the_header_gets_the_new_value() -> None:
    cloudfront = CloudFront(
        _origin("page"),
        _origin("api", **{"X-Origin-Secret": "old", "X-Other": "kept"}),
        _origin("socket", **{"X-Origin-Secret": "old"}),
    )
    origins = EdgeOrigins(cloudfront, "E123", HEADER)
    with pytest.raises(RotationRefused):
        origins.prove("new")
    origins.send("new")
    assert _values(cloudfront) == [[], ["new", "kept"], ["new"]]
    origins.prove("new")
    origins.send("new")
    assert cloudfront.updates == 1, "a step that comes twice changes nothing"


def test_a_change_at_the_same_time_is_tried_again_later() -> None:
    cloudfront = CloudFront(_origin("api", **{"X-Origin-Secret": "old"}))
    cloudfront.changed_meanwhile = True
    with pytest.raises(DependencyError, match="PreconditionFailed"):
        EdgeOrigins(cloudfront, "E123", HEADER).send("new")
    assert _values(cloudfront) == [["old"]]


def test_a_distribution_that_sends_no_secret_is_an_error_and_no_success() -> None:
    with pytest.raises(RotationRefused, match="no origin"):
        EdgeOrigins(CloudFront(_origin("page")), "E123", HEADER).send("new")
