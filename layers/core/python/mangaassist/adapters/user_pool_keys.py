"""The keys that a Cognito user pool publishes (JSON Web Key Set), kept in memory."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from mangaassist.errors import DependencyError, DependencyTimeout
from mangaassist.identity.rs256 import PublicKey, UnusableKey

if TYPE_CHECKING:
    from mangaassist.identity.user_token import UserPool

DEPENDENCY: Final = "user pool keys"
FRESH_SECONDS: Final = 3_600
"""Read again after an hour, so that a withdrawn key stops counting."""
STALE_SECONDS: Final = 86_400
"""While the pool does not answer, a known key counts for a day."""
RETRY_SECONDS: Final = 30
"""Pause between two reads, whoever makes up key ids and however long the pool is away."""
TIMEOUT_SECONDS: Final = 2.0
MAX_BYTES: Final = 65_536


def address(pool: UserPool, environ: Mapping[str, str]) -> str:
    """Where the keys are: at the issuer, or at the service endpoint that the SDKs would be told to use instead."""
    endpoint = environ.get("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER") or environ.get("AWS_ENDPOINT_URL")
    base = f"{endpoint.rstrip('/')}/{pool.pool_id}" if endpoint else pool.issuer
    return f"{base}/.well-known/jwks.json"


def fetch(url: str) -> bytes:
    """The document at ``url``.

    Raises:
        DependencyError: there is no answer, or not the one expected.
    """
    import urllib3

    try:
        # Botocore's own HTTP library: nothing more to load.
        response = urllib3.PoolManager(num_pools=1).request(
            "GET", url, timeout=TIMEOUT_SECONDS, retries=False, redirect=False, preload_content=False
        )
        with response:
            body = response.read(MAX_BYTES)
    except urllib3.exceptions.TimeoutError as error:
        raise DependencyTimeout(DEPENDENCY, type(error).__name__) from None
    except urllib3.exceptions.HTTPError as error:
        raise DependencyError(DEPENDENCY, type(error).__name__) from None
    if response.status != 200:
        raise DependencyError(DEPENDENCY, f"status {response.status}")
    return body


class UserPoolKeys:
    """Signing keys by their id."""

    def __init__(
        self,
        url: str,
        *,
        fetch: Callable[[str], bytes] = fetch,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._fetch, self._clock = url, fetch, clock
        self._keys: dict[str, PublicKey] = {}
        self._read_at = self._tried_at = -math.inf

    def key(self, key_id: str) -> PublicKey | None:
        """The key of this id; ``None`` when the pool has none of it.

        Raises:
            DependencyError: the keys cannot be read, and what is known is too old or lacks this one.
        """
        now = self._clock()
        wanted = now - self._read_at > FRESH_SECONDS or key_id not in self._keys
        if wanted and now - self._tried_at > RETRY_SECONDS:
            self._tried_at = now
            try:
                self._keys = _parsed(self._fetch(self._url))
                self._read_at = now
            except DependencyError:
                if key_id not in self._keys or now - self._read_at > STALE_SECONDS:
                    raise
        if now - self._read_at > STALE_SECONDS:
            raise DependencyError(DEPENDENCY, "not read for too long")
        return self._keys.get(key_id)


def _parsed(document: bytes) -> dict[str, PublicKey]:
    try:
        entries = cast("list[dict[str, Any]]", json.loads(document)["keys"])
        usable: dict[str, PublicKey] = {}
        for entry in entries:
            try:
                usable[str(entry["kid"])] = PublicKey.from_jwk(entry)
            except UnusableKey:
                continue
    except (ValueError, KeyError, TypeError, AttributeError):
        raise DependencyError(DEPENDENCY, "not a key set") from None
    if not usable:
        raise DependencyError(DEPENDENCY, "no usable key")
    return usable
