"""Boto3 clients with the time-outs and retries a live turn can afford, made once per execution environment."""

from __future__ import annotations

from functools import cache
from typing import Any, cast


@cache
def client(
    service: str,
    *,
    endpoint_url: str | None = None,
    read_timeout_seconds: float = 5.0,
    attempts: int = 2,
) -> Any:
    """A client for ``service``.

    Args:
        service: botocore's name of the service.
        endpoint_url: only where the endpoint is configuration (a WebSocket stage's callback URL).
        read_timeout_seconds: longest silence between two reads.
        attempts: total attempts; botocore backs off with jitter between them and retries transient errors only.
    """
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=2.0,
        read_timeout=read_timeout_seconds,
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=16,
    )
    # The stubs know every service by its name; here the name is a parameter.
    make = cast(Any, boto3).client
    return make(service, endpoint_url=endpoint_url, config=config)
