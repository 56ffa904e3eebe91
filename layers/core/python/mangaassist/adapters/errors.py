"""Botocore's errors in the product's vocabulary; one table for every AWS adapter."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from mangaassist.errors import (
    DependencyError,
    DependencyThrottled,
    DependencyTimeout,
    DependencyUnavailable,
)

THROTTLES = frozenset(
    {
        "ThrottlingException",
        "Throttling",
        "TooManyRequestsException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ServiceQuotaExceededException",
        "ModelNotReadyException",
        "SlowDown",
        "throttlingException",
    }
)
TIMEOUTS = frozenset({"ModelTimeoutException", "RequestTimeout", "RequestTimeoutException"})


@contextmanager
def translated(dependency: str) -> Generator[None]:
    """Calls of an AWS client inside raise the product's errors; everything else passes as it is."""
    try:
        yield
    except Exception as error:
        known = translate(dependency, error)
        if known is None:
            raise
        raise known from error


def translate(dependency: str, error: Exception) -> DependencyError | None:
    """The dependency error for a failed call; carries the service's code, never its message or payload.

    ``None`` for what is no error of the SDK's. Its parser's error has a family of its own: a service that answers
    garbage is a failed service all the same.
    """
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        ConnectionClosedError,
        ConnectTimeoutError,
        EndpointConnectionError,
        ReadTimeoutError,
    )
    from botocore.parsers import ResponseParserError

    name = type(error).__name__
    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", "Unknown"))
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in THROTTLES or status == 429:
            return DependencyThrottled(dependency, code)
        if code in TIMEOUTS:
            return DependencyTimeout(dependency, code)
        return (DependencyUnavailable if status >= 500 else DependencyError)(dependency, code)
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return DependencyTimeout(dependency, name)
    if isinstance(error, ConnectionClosedError | EndpointConnectionError):
        return DependencyUnavailable(dependency, name)
    return (
        DependencyError(dependency, name) if isinstance(error, BotoCoreError | ResponseParserError) else None
    )
