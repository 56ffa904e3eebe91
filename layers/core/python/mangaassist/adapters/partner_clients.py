"""Builds the partners' clients: one pool per base address, kept with its circuit breaker for the execution environment."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.resilience.breaker import ConsecutiveFailures
from mangaassist.resilience.guarded import Guarded
from mangaassist.resilience.retrying import Retrying

if TYPE_CHECKING:
    from mangaassist.adapters.secrets import SecretVersions

SECRET_SECONDS: Final = 1.0
"""Longest silence while a credential is read; it is kept for minutes afterwards."""


@cache
def partner_http(base_url: str, credential_secret: str, *, attempts: int = 2) -> PartnerHttp:
    """The client of the partners behind ``base_url``.

    Args:
        base_url: ``https://host[:port][/path]``, or ``http`` to this machine.
        credential_secret: ARN of the secret whose value is the bearer credential; read on the first request.
        attempts: of each call, at most; 1 where the budget leaves no time for a second.
    """
    return PartnerHttp(
        base_url,
        _credential(credential_secret).accepted,
        guarded=Guarded(Retrying(attempts=attempts), ConsecutiveFailures()),
    )


@cache
def _credential(arn: str) -> SecretVersions:
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.secrets import SecretVersions

    secrets = client("secretsmanager", read_timeout_seconds=SECRET_SECONDS)
    return SecretVersions(secrets, arn, stages=("AWSCURRENT",))
