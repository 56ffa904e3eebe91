"""Joins the functions at the door, and those that rotate their secrets, to AWS."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from mangaassist.identity import origin
from mangaassist.identity.callers import Callers
from mangaassist.settings import (
    AuthorizerSettings,
    GuestTokenSettings,
    OriginRotationSettings,
    OriginSettings,
)

if TYPE_CHECKING:
    from mangaassist.adapters.edge_origins import EdgeOrigins
    from mangaassist.adapters.secrets import SecretVersions, StoredSecret


@cache
def callers() -> Callers:
    """Who the authorizer lets in."""
    settings = AuthorizerSettings.load()
    guest_secrets = _guest_secret(settings.guest_token_secret).accepted
    if settings.user_pool is None or settings.user_pool_client is None:
        return Callers(guest_secrets=guest_secrets)
    from mangaassist.adapters.user_pool_keys import UserPoolKeys, address
    from mangaassist.identity.user_token import UserPool

    pool = UserPool(settings.user_pool, settings.user_pool_client)
    return Callers(guest_secrets=guest_secrets, pool=pool, keys=UserPoolKeys(address(pool, os.environ)))


def guest_secret() -> str:
    """What new guest tokens are signed with."""
    return _guest_secret(GuestTokenSettings.load().guest_token_secret).current()


def check_origin(headers: Mapping[str, str] | None) -> None:
    """Let only requests pass that came through the edge, where there is one.

    Raises:
        WrongOrigin: this one did not.
        DependencyError: the secret cannot be read.
    """
    secrets = _origin_secrets()
    if secrets is not None:
        origin.check(headers, secrets.accepted())


@cache
def stored_secret(arn: str) -> StoredSecret:
    """A secret under rotation."""
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.secrets import StoredSecret

    return StoredSecret(client("secretsmanager"), arn)


@cache
def edge_origins() -> EdgeOrigins:
    """What CloudFront sends to the APIs behind it."""
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.edge_origins import EdgeOrigins

    return EdgeOrigins(client("cloudfront"), OriginRotationSettings.load().distribution_id, origin.HEADER)


@cache
def _guest_secret(arn: str) -> SecretVersions:
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.secrets import SecretVersions
    from mangaassist.identity.rotation import CURRENT, PREVIOUS

    # A token lives for hours, a previous secret until the next rotation: nobody is signed out by one.
    return SecretVersions(client("secretsmanager", read_timeout_seconds=2.0), arn, stages=(CURRENT, PREVIOUS))


@cache
def _origin_secrets() -> SecretVersions | None:
    arn = OriginSettings.load().origin_secret
    if arn is None:
        return None
    from mangaassist.adapters.clients import client
    from mangaassist.adapters.secrets import SecretVersions
    from mangaassist.identity.rotation import CURRENT, PENDING, PREVIOUS

    # CloudFront sends a new value while it is still pending, and the old one for minutes after.
    return SecretVersions(
        client("secretsmanager", read_timeout_seconds=2.0), arn, stages=(CURRENT, PREVIOUS, PENDING)
    )
