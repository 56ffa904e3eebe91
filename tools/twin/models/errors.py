"""Failures as the services word them: status, ``x-amzn-errortype`` and a message."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

BEDROCK_STATUS: Final[Mapping[str, int]] = {
    "AccessDeniedException": 403,
    "InternalServerException": 500,
    "MissingAuthenticationTokenException": 403,
    "ModelErrorException": 424,
    "ModelNotReadyException": 429,
    "ModelTimeoutException": 408,
    "ResourceNotFoundException": 404,
    "SerializationException": 400,
    "ServiceQuotaExceededException": 400,
    "ServiceUnavailableException": 503,
    "ThrottlingException": 429,
    "UnknownOperationException": 404,
    "ValidationException": 400,
}
SAGEMAKER_STATUS: Final[Mapping[str, int]] = {
    "InternalFailure": 500,
    "MissingAuthenticationTokenException": 403,
    "ModelError": 424,
    "ModelNotReadyException": 429,
    "ServiceUnavailable": 503,
    "ThrottlingException": 429,
    "ValidationError": 400,
}
PERSONALIZE_STATUS: Final[Mapping[str, int]] = {
    "InternalServerException": 500,
    "InvalidInputException": 400,
    "MissingAuthenticationTokenException": 403,
    "ResourceNotFoundException": 404,
    "SerializationException": 400,
    "ThrottlingException": 429,
}
IN_STREAM: Final = frozenset(
    {
        "internalServerException",
        "modelStreamErrorException",
        "serviceUnavailableException",
        "throttlingException",
        "validationException",
    }
)
"""Exceptions that can end a stream whose head was sent."""


class ServiceError(Exception):
    """A request fails with ``code``, one of the service's; ``extra`` holds further members of its error shape."""

    def __init__(self, code: str, message: str, extra: Mapping[str, object] | None = None) -> None:
        self.code = code
        self.message = message
        self.extra = extra or {}
        super().__init__(f"{code}: {message}")

    @property
    def in_stream(self) -> str:
        """The exception's name once a stream has begun; failures that only exist before become stream errors."""
        name = self.code[0].lower() + self.code[1:]
        return name if name in IN_STREAM else "modelStreamErrorException"


def error_headers(code: str) -> dict[str, str]:
    """Response headers of a failure; SDKs read the code from ``x-amzn-errortype``, up to the colon."""
    origin = "http://internal.amazon.com/coral/com.amazon.bedrock/"
    return {"content-type": "application/json", "x-amzn-errortype": f"{code}:{origin}"}


def error_body(member: str, message: str, extra: Mapping[str, object] | None = None) -> bytes:
    """The JSON body; Bedrock calls the text ``message``, SageMaker ``Message``."""
    return json.dumps({member: message, **(extra or {})}).encode()
