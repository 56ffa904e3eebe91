"""What ECS hands to a running container: credentials of its task's role, in the words of the endpoint that SDKs ask.

The emulator runs no containers here, and its own endpoint answers with keys that it refuses afterwards. Its trust
policies let every service in where one is named; here the role has to name ECS.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from ministack.core import iam_evaluator
from ministack.services import ecs, iam, sts

from tools.twin.emulator.permissions import as_root
from tools.twin.layout import ACCOUNT, REGION

TASKS: Final = "ecs-tasks.amazonaws.com"
ROOT: Final = f"arn:aws:iam::{ACCOUNT}:root"
LASTS: Final = timedelta(hours=1)
"""Told to the SDK, which asks again before it is over; ECS gives up to six hours."""


class NoTrust(Exception):
    """The role of the task does not let ECS in."""


def credentials(container: str) -> dict[str, str] | None:
    """What a container of this name signs with; ``None`` when no deployed service runs one under a role.

    Raises:
        NoTrust: see there.
    """
    as_root()
    for service in ecs._services.values():
        definition = ecs._task_defs.get(service["taskDefinition"].rpartition("/")[2])
        if definition is None or service["status"] != "ACTIVE" or not definition["taskRoleArn"]:
            continue
        if container in {each["name"] for each in definition["containerDefinitions"]}:
            return _session(service["serviceArn"], definition["taskRoleArn"], container)
    return None


def _session(service: str, role_arn: str, container: str) -> dict[str, str]:
    name = role_arn.rpartition("/")[2]
    role = iam._roles.get(name)
    if role is None or not _lets_tasks_in(role):
        raise NoTrust(f"{role_arn} does not let {TASKS} assume it")
    # The same keys every time: the emulator forgets its sessions when it ends, and a task outlives that.
    digest = _hash(f"{service}:{role_arn}")
    keys = {
        "AccessKeyId": f"ASIA{digest[:16].upper()}",
        "SecretAccessKey": _hash(f"secret:{digest}"),
        "Token": _hash(f"token:{digest}"),
    }
    sts.register_session(
        keys["AccessKeyId"],
        {
            "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{container}",
            "UserId": f"{name}:{container}",
            "AccountId": ACCOUNT,
            "SecretAccessKey": keys["SecretAccessKey"],
            "SessionToken": keys["Token"],
        },
    )
    until = datetime.now(UTC) + LASTS
    return {**keys, "RoleArn": role_arn, "Expiration": until.strftime("%Y-%m-%dT%H:%M:%SZ")}


def _lets_tasks_in(role: Mapping[str, Any]) -> bool:
    """Whether the trust policy names ECS, and its conditions hold for a task of this account."""
    trust = json.loads(role["AssumeRolePolicyDocument"])
    asked = iam_evaluator.EvalContext(
        principal_arn=ROOT,
        principal_type="Root",
        principal_account=ACCOUNT,
        action="sts:AssumeRole",
        resource_arn=role["Arn"],
        region=REGION,
        service_context={"aws:sourceaccount": ACCOUNT},
    )
    # The evaluator lets its own root pass for any service, so only what is said to ECS is put before it.
    said = [each for each in trust["Statement"] if _names_tasks(each.get("Principal"))]
    return iam_evaluator.evaluate_trust_policy({"Statement": said}, ROOT, asked)


def _names_tasks(principal: Any) -> bool:
    named = principal.get("Service", []) if isinstance(principal, dict) else []
    return TASKS in ([named] if isinstance(named, str) else named)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
