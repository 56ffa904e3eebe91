"""Gap: the error type of a failed function is always ``Runtime.HandlerError``.

Step Functions' Retry and Catch match on the exception's class name, so here it is the class name, read from the last
line of the traceback.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import re
from typing import Any

from ministack.services import lambda_svc

EXCEPTION_LINE = re.compile(r"^([A-Za-z_][\w.]*)(?::.*)?$", re.MULTILINE)


def apply() -> None:
    """Put the class name into the answer of the executor."""
    execute = lambda_svc._execute_function_warm

    def execute_named(function: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        outcome = execute(function, event, request_id)
        body = outcome.get("body")
        names = EXCEPTION_LINE.findall(outcome.get("log") or "")
        if isinstance(body, dict) and body.get("errorType") == "Runtime.HandlerError" and names:
            body["errorType"] = names[-1].rsplit(".", 1)[-1]
        return outcome

    lambda_svc._execute_function_warm = execute_named
