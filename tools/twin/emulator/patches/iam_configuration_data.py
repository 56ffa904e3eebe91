"""Gap: with IAM enforced, reading a configuration is checked as nothing at all.

The SDK signs AppConfig's data operations for ``appconfig``, under which the emulator does not look for them. On AWS
both are checked on ``application/{}/environment/{}/configuration/{}``.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from typing import Any

from ministack.core import iam_actions
from ministack.services import appconfig

ACTIONS = {
    ("POST", "/configurationsessions"): "appconfig:StartConfigurationSession",
    ("GET", "/configuration"): "appconfig:GetLatestConfiguration",
}


NAMES = ("ApplicationIdentifier", "EnvironmentIdentifier", "ConfigurationProfileIdentifier")


def apply() -> None:
    """Name the action and the resource of both operations; a token stands for what its session was opened for."""
    action_of, resource_of = iam_actions.extract_iam_action, iam_actions.extract_resource_arn

    def action(service: str, method: str, path: str, headers: Any, body: bytes, query: Any) -> str | None:
        if service == "appconfig" and (method, path) in ACTIONS:
            # What no session belongs to is the service's to refuse, in its own words.
            return ACTIONS[method, path] if asked(method, body, query) else None
        return action_of(service, method, path, headers, body, query)

    def resource(
        service: str, method: str, path: str, headers: Any, body: bytes, query: Any, region: str, account: str
    ) -> str:
        if service != "appconfig" or (method, path) not in ACTIONS:
            return resource_of(service, method, path, headers, body, query, region, account)
        application, environment, profile = (asked(method, body, query).get(name) for name in NAMES)
        return (
            f"arn:aws:appconfig:{region}:{account}:application/{application}/environment/{environment}"
            f"/configuration/{profile}"
        )

    iam_actions.extract_iam_action, iam_actions.extract_resource_arn = action, resource


def asked(method: str, body: bytes, query: Any) -> dict[str, Any]:
    """Ids of the application, the environment and the profile; empty for a token that is not known (any more)."""
    if method != "GET":
        return json.loads(body or b"{}")
    token = query.get("configuration_token", "")
    return appconfig._sessions.get(token[0] if isinstance(token, list) else token) or {}
