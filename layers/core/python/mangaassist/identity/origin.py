"""Whether a request came through the edge, where the firewall is: CloudFront proves it with a secret in a header."""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from typing import Final

from mangaassist.errors import WrongOrigin

HEADER: Final = "x-origin-secret"
"""Lower case, as HTTP/2 and HTTP APIs write header names."""


def check(headers: Mapping[str, str] | None, accepted: Iterable[str]) -> None:
    """Let the request pass if it carries one of the ``accepted`` secrets.

    Raises:
        WrongOrigin: it does not; somebody calls the API's own address.
    """
    offered = next((value for name, value in (headers or {}).items() if name.lower() == HEADER), None)
    if not offered:
        raise WrongOrigin("absent")
    if not any(hmac.compare_digest(offered.encode(), secret.encode()) for secret in accepted):
        raise WrongOrigin("unknown")
