"""Gap: AppConfig validators are stored and never run, and ValidateConfiguration is missing.

On AWS a hosted version that breaks the profile's JSON Schema is refused when it is created, and the Lambda validator
(it raises to refuse) runs before a deployment starts.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import base64
import json
import re
from typing import Any

import fastjsonschema
from ministack.core.concurrency import run_reentrant
from ministack.core.responses import get_account_id, get_region
from ministack.services import appconfig, lambda_svc

PROFILE = r"/applications/([^/]+)/configurationprofiles/([^/]+)"
CREATE_VERSION = re.compile(PROFILE + "/hostedconfigurationversions")
VALIDATE = re.compile(PROFILE + "/validators")
START_DEPLOYMENT = re.compile(r"/applications/([^/]+)/environments/([^/]+)/deployments")


def apply() -> None:
    """Check the three requests that validate, then hand them on."""
    handle = appconfig.handle_request

    async def handle_checked(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Any:
        problem = None
        if method == "POST" and (match := CREATE_VERSION.fullmatch(path)):
            problem = schema_problem(match[1], match[2], body)
        elif method == "POST" and (match := VALIDATE.fullmatch(path)):
            version = query.get("configuration_version", [""])
            version = version[0] if isinstance(version, list) else version
            problem = await problem_of(match[1], match[2], version)
            if problem is None:
                return 204, {}, b""
        elif method == "POST" and (match := START_DEPLOYMENT.fullmatch(path)):
            wanted = json.loads(body or b"{}")
            profile, version = (
                wanted.get("ConfigurationProfileId", ""),
                wanted.get("ConfigurationVersion", ""),
            )
            problem = await problem_of(match[1], profile, version)
        if problem is not None:
            return appconfig._error(400, "BadRequestException", problem)
        return await handle(method, path, headers, body, query)

    appconfig.handle_request = handle_checked


async def problem_of(application: str, profile: str, version: str) -> str | None:
    """Why this stored version may not be deployed, or ``None``."""
    stored = appconfig._hosted_versions.get(f"{application}/{profile}/{version}")
    if stored is None:
        return None  # unknown ids are the emulator's to report
    content = stored["Content"] if isinstance(stored["Content"], bytes) else stored["Content"].encode()
    problem = schema_problem(application, profile, content)
    if problem is None and (arns := validators(application, profile, "LAMBDA")):
        event = {
            "applicationId": application,
            "configurationProfileId": profile,
            "configurationVersion": version,
            "content": base64.b64encode(content).decode(),
            "uri": "hosted",
        }
        problem = await function_problem(arns[0], event)
    return problem


def validators(application: str, profile: str, kind: str) -> list[str]:
    """Contents of the profile's validators of one kind: schemas or function ARNs."""
    stored = (appconfig._config_profiles.get(f"{application}/{profile}") or {}).get("Validators") or []
    return [validator["Content"] for validator in stored if validator.get("Type") == kind]


def schema_problem(application: str, profile: str, content: bytes) -> str | None:
    """What the profile's JSON Schema has against ``content``, or ``None``."""
    for schema in validators(application, profile, "JSON_SCHEMA"):
        try:
            fastjsonschema.validate(json.loads(schema), json.loads(content))
        except ValueError as error:  # not JSON, or not what the schema wants
            return f"JSON schema validator: {error}"
    return None


async def function_problem(arn: str, event: dict[str, Any]) -> str | None:
    """What the validating function raised, or ``None``."""
    function, config, _ = lambda_svc._get_func_record_for_ref_in_scope(
        arn, account_id=get_account_id(), region=get_region()
    )
    if function is None or config is None:
        return f"Lambda validator: no function {arn}"
    record = lambda_svc._execution_record_for_config(function, config)
    outcome = await run_reentrant(lambda_svc._execute_function_with_config_scope, record, event)
    if not outcome.get("error"):
        return None
    return f"Lambda validator: {(outcome.get('body') or {}).get('errorMessage', 'failed')}"
