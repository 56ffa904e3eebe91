"""Botocore's errors in the product's vocabulary; one table for every AWS adapter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError, ClientError

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


def translate(dependency: str, error: ClientError | BotoCoreError) -> DependencyError:
    """The dependency error for a failed call; carries the service's code, never its message or payload."""
    from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

    if isinstance(error, ClientError):
        code = str(error.response.get("Error", {}).get("Code", "Unknown"))
        if code in THROTTLES:
            return DependencyThrottled(dependency, code)
        if code in TIMEOUTS:
            return DependencyTimeout(dependency, code)
        return DependencyError(dependency, code)
    if isinstance(error, ConnectTimeoutError | ReadTimeoutError):
        return DependencyTimeout(dependency, type(error).__name__)
    return DependencyError(dependency, type(error).__name__)
