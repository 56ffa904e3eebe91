"""Pace: the CDK looks at a stack in progress every five seconds, and most stacks here are done in one.

A look at a stack in progress is answered when it is done, or after ``PATIENCE_SECONDS`` as it then is.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

import asyncio
import time
from typing import Any

from ministack.services import cloudformation

PATIENCE_SECONDS = 4.0
POLL_SECONDS = 0.05
IN_PROGRESS = b"_IN_PROGRESS</StackStatus>"


def apply() -> None:
    """Hold the answers of ``DescribeStacks`` about one stack."""
    handle = cloudformation.handle_request

    async def handle_patiently(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, Any]
    ) -> Any:
        answer = await handle(method, path, headers, body, query)
        if b"Action=DescribeStacks" not in body or b"StackName=" not in body:
            return answer
        deadline = time.monotonic() + PATIENCE_SECONDS
        while IN_PROGRESS in _bytes(answer[2]) and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
            answer = await handle(method, path, headers, body, query)
        return answer

    cloudformation.handle_request = handle_patiently


def _bytes(body: str | bytes) -> bytes:
    return body if isinstance(body, bytes) else body.encode()
