"""What a request to the model runtimes and the control planes stands for in IAM's terms.

Bedrock: https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonbedrock.html, and the pages of
the other services beside it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import unquote

from tools.twin.control_plane import app as control_planes
from tools.twin.faults import Scope
from tools.twin.layout import ACCOUNT, REGION
from tools.twin.permissions import Demand

INVOCATION = re.compile(r"/model/(?P<model>.+)/(?P<operation>converse|converse-stream|invoke)")
ENDPOINT = re.compile(r"/endpoints/(?P<name>[^/]+)/invocations")
PERSONALIZE_ACTIONS = {
    "/recommendations": "personalize:GetRecommendations",
    "/personalize-ranking": "personalize:GetPersonalizedRanking",
}
PROFILE = re.compile(r"(?P<geography>global|us|eu|jp|au|apac)\.(?P<model>.+)")
OWN_PROFILE = re.compile(r"arn:aws:bedrock:[a-z0-9-]+:\d{12}:application-inference-profile/(?P<copied>.+)")
"""The emulator names it after what it was copied from (``emulator/patches/stub_types.py``); on AWS its id is opaque."""
GROUP = "AWS::OpenSearchServerless::CollectionGroup"
TagsOf = Callable[[str], Mapping[str, str]]
"""The tags of a provisioned model, by its ARN or id."""


def demands_of(scope: Scope, body: bytes, tags_of: TagsOf) -> Iterator[Demand]:
    """The actions of one request, each on its resource."""
    path = unquote(scope["path"])
    if found := INVOCATION.fullmatch(path):
        streams = found["operation"] == "converse-stream"
        action = f"bedrock:InvokeModel{'WithResponseStream' if streams else ''}"
        for resource in _models(found["model"]):
            tags = tags_of(resource) if ":provisioned-model/" in resource else {}
            yield Demand(action, resource, _tagged("aws:ResourceTag", tags))
    elif found := ENDPOINT.fullmatch(path):
        yield Demand("sagemaker:InvokeEndpoint", _sagemaker(found["name"]))
    elif action := PERSONALIZE_ACTIONS.get(path):
        yield Demand(action, _campaign(body))
    elif path.startswith(control_planes.PATH):
        yield from _provisioned(scope["method"], path, body, tags_of)
    elif path == "/":
        target = dict(scope["headers"]).get(b"x-amz-target", b"").decode("latin-1")
        yield from _targeted(target, json.loads(body or b"{}"))


def _models(model: str) -> list[str]:
    """A profile is asked for together with the model behind it, which ``global`` asks for without a region."""
    own = OWN_PROFILE.fullmatch(model)
    if own:
        # One of an account's own is asked for together with the models behind it, and not with what it was copied from.
        return [model, *(arn for arn in _models(own["copied"]) if ":foundation-model/" in arn)]
    if model.startswith("arn:"):
        return [model]
    found = PROFILE.fullmatch(model)
    if found is None:
        return [_foundation_model(REGION, model)]
    regions = (REGION, "") if found["geography"] == "global" else (REGION,)
    profile = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:inference-profile/{model}"
    return [profile, *(_foundation_model(region, found["model"]) for region in regions)]


def _campaign(body: bytes) -> str:
    """Whom a request asks; what is no request asks for everything, and is refused in words once it is let through."""
    try:
        asked = json.loads(body or b"{}")
        return str(asked.get("campaignArn") or asked.get("recommenderArn") or "*")
    except (ValueError, AttributeError):
        return "*"


def _provisioned(method: str, path: str, body: bytes, tags_of: TagsOf) -> Iterator[Demand]:
    if path == f"{control_planes.PATH}s":
        yield Demand("bedrock:ListProvisionedModelThroughputs", "*")
    elif method == "POST":
        asked = json.loads(body)
        tags = _tagged("aws:RequestTag", {each["key"]: each["value"] for each in asked.get("tags", [])})
        yield Demand(
            "bedrock:CreateProvisionedModelThroughput", _foundation_model(REGION, asked["modelId"]), tags
        )
        if tags:
            yield Demand(
                "bedrock:TagResource", f"arn:aws:bedrock:{REGION}:{ACCOUNT}:provisioned-model/new", tags
            )
    else:
        model = path.removeprefix(f"{control_planes.PATH}/")
        arn = f"arn:aws:bedrock:{REGION}:{ACCOUNT}:provisioned-model/{model.rpartition('/')[2]}"
        verb = "Delete" if method == "DELETE" else "Get"
        yield Demand(
            f"bedrock:{verb}ProvisionedModelThroughput", arn, _tagged("aws:ResourceTag", tags_of(model))
        )


def _targeted(target: str, asked: Mapping[str, Any]) -> Iterator[Demand]:
    service, _, operation = target.partition(".")
    match service:
        case "SageMaker":
            yield Demand(f"sagemaker:{operation}", _sagemaker(asked.get("EndpointName", "")))
        case "OpenSearchServerless":
            yield Demand(f"aoss:{operation}", GROUP)
        case "AnyScaleFrontendService":
            arn = f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/*"
            dimension = asked.get("ScalableDimension", "")
            context = {"application-autoscaling:scalable-dimension": dimension} if dimension else {}
            yield Demand(
                f"application-autoscaling:{operation}",
                "*" if operation.startswith("Describe") else arn,
                context,
            )
        case _:
            pass  # no operation of ours: the router says so


def _tagged(prefix: str, tags: Mapping[str, str]) -> dict[str, str]:
    return {f"{prefix}/{name}": value for name, value in tags.items()}


def _foundation_model(region: str, model: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{model}"


def _sagemaker(endpoint: str) -> str:
    return f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint/{endpoint.lower()}"
