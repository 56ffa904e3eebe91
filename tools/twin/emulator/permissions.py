"""What the deployed roles allow: for the services beside the emulator, and to act as a function.

The emulator checks its own requests by itself; here the same evaluation answers for others. The collection is the one
resource with a second gate, the data access policies, as on AWS: IAM lets a role into the collection at all
(``aoss:APIAccessAll``), a policy says what it may do there.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from ministack.core import iam_evaluator, lambda_runtime
from ministack.core.responses import set_request_account_id, set_request_region
from ministack.services import cloudformation, lambda_svc

from tools.twin.emulator.patches.stub_types import RecordedAttributes
from tools.twin.layout import ACCOUNT, CREDENTIALS, REGION

COLLECTION = "AWS::OpenSearchServerless::Collection"
ACCESS_POLICY = "AWS::OpenSearchServerless::AccessPolicy"
KINDS_OF_RESOURCE = ("collection", "index")
"""What data access policies name, in front of the first slash."""


def credentials(function: str) -> dict[str, str] | None:
    """What the function itself signs with; ``None`` when there is no such function."""
    as_root()
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    _, config, _ = lambda_svc._get_func_record_for_ref_in_scope(arn, account_id=ACCOUNT, region=REGION)
    return None if config is None else lambda_runtime.execution_credentials(config)


def refusal(access_key: str, demands: list[Mapping[str, Any]]) -> str | None:
    """Why this caller may not do all of it, in AWS's words; ``None`` when it may."""
    as_root()
    principal = iam_evaluator.resolve_principal(access_key, ACCOUNT)
    if isinstance(principal, iam_evaluator.AuthError):
        return principal.message
    if principal.policies is None:  # root
        return None
    for demand in demands:
        is_data = demand["resource"].partition("/")[0] in KINDS_OF_RESOURCE
        if not (_data_allowed(principal, demand) if is_data else _allowed(principal, **demand)):
            return (
                f"User: {principal.arn} is not authorized to perform: {demand['action']} "
                f"on resource: {demand['resource']}"
            )
    return None


def as_root() -> None:
    """Look from the account and region in which the stacks are, as requests signed by root do."""
    set_request_account_id(CREDENTIALS["AWS_ACCESS_KEY_ID"])
    set_request_region(REGION)


def _allowed(principal: Any, action: str, resource: str, context: Mapping[str, str]) -> bool:
    if resource.startswith("AWS::"):
        service = resource.split("::")[1].lower()
        arns = [RecordedAttributes(service, *found)["Arn"] for found in _recorded(resource)]
        return any(_allowed(principal, action, arn, context) for arn in arns)
    asked = iam_evaluator.EvalContext(
        principal_arn=principal.arn,
        principal_type=principal.type,
        principal_account=principal.account,
        action=action,
        resource_arn=resource,
        region=REGION,
        service_context={name.lower(): value for name, value in context.items()},
        principal_keys=principal.keys,
    )
    return iam_evaluator.evaluate(asked, principal.policies, *principal.limits).decision == "Allow"


def _data_allowed(principal: Any, demand: Mapping[str, Any]) -> bool:
    """Both gates; a twin has one collection, so a demand names ``index/<index>`` or ``collection/`` without it."""
    role = f"arn:aws:iam::{principal.account}:role/{principal.arn.split('/')[1]}"
    kind, _, name = demand["resource"].partition("/")
    for physical_id, properties in _recorded(COLLECTION):
        arn = RecordedAttributes("opensearchserverless", physical_id, properties)["Arn"]
        if not _allowed(principal, "aoss:APIAccessAll", arn, {}):
            continue
        wanted = f"{kind}/{properties['Name']}" + (f"/{name}" if kind == "index" else "")
        for _, policy in _recorded(ACCESS_POLICY):
            if any(_grants(each, role, demand["action"], wanted) for each in json.loads(policy["Policy"])):
                return True
    return False


def _grants(policy: Mapping[str, Any], role: str, action: str, resource: str) -> bool:
    return role in policy["Principal"] and any(
        action in rule["Permission"] and any(fnmatchcase(resource, pattern) for pattern in rule["Resource"])
        for rule in policy["Rules"]
    )


def _recorded(resource_type: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Physical id and properties of every deployed resource of a type."""
    for stack in cloudformation._stacks.values():
        for resource in stack.get("_resources", {}).values():
            if resource.get("ResourceType") == resource_type:
                yield resource["PhysicalResourceId"], resource["Properties"]
