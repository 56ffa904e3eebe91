"""Which of the SDK's errors is which of ours."""

from __future__ import annotations

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from mangaassist.adapters.errors import translate, translated
from mangaassist.errors import (
    DependencyError,
    DependencyThrottled,
    DependencyTimeout,
    DependencyUnavailable,
)


def of_service(code: str, status: int = 400) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": "a secret"}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]
        "Operation",
    )


@pytest.mark.parametrize(
    ("error", "kind", "reason"),
    [
        (of_service("ThrottlingException"), DependencyThrottled, "ThrottlingException"),
        (of_service("LimitExceededException", 429), DependencyThrottled, "LimitExceededException"),
        (of_service("429", 429), DependencyThrottled, "429"),
        (of_service("ModelTimeoutException", 408), DependencyTimeout, "ModelTimeoutException"),
        (of_service("InternalServerError", 500), DependencyUnavailable, "InternalServerError"),
        (of_service("AccessDeniedException", 403), DependencyError, "AccessDeniedException"),
        (ReadTimeoutError(endpoint_url="x"), DependencyTimeout, "ReadTimeoutError"),
        (ConnectTimeoutError(endpoint_url="x"), DependencyTimeout, "ConnectTimeoutError"),
        (ConnectionClosedError(endpoint_url="x"), DependencyUnavailable, "ConnectionClosedError"),
        (BotoCoreError(), DependencyError, "BotoCoreError"),
        (ResponseParserError("unparsable: a secret"), DependencyError, "ResponseParserError"),
    ],
)
def test_every_failure_has_its_kind_and_none_its_text(
    error: Exception, kind: type[DependencyError], reason: str
) -> None:
    with pytest.raises(DependencyError) as failed, translated("it"):
        raise error
    assert type(failed.value) is kind
    assert str(failed.value) == f"it: {reason}"


@pytest.mark.parametrize("error", [ValueError("ours"), DependencyThrottled("other", "429")])
def test_what_is_not_the_sdks_passes_as_it_is(error: Exception) -> None:
    assert translate("it", error) is None
    with pytest.raises(type(error)) as failed, translated("it"):
        raise error
    assert failed.value is error
