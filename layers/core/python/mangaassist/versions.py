"""Which protocol versions are served; apart from ``protocol`` because ``$connect`` needs only this, quickly."""

from __future__ import annotations

from typing import Final

from mangaassist.errors import UnknownProtocolVersion

SUPPORTED_VERSIONS: Final = (1, 2, 3)
CURRENT_VERSION: Final = 3
SUBPROTOCOL: Final = "mangaassist"


def negotiate_version(requested: str | None) -> int:
    """The version to speak on this connection; the current one when the client names none.

    Raises:
        UnknownProtocolVersion: the client asked for a version that is not served.
    """
    if not requested:
        return CURRENT_VERSION
    for version in SUPPORTED_VERSIONS:
        if requested == str(version):
            return version
    raise UnknownProtocolVersion(requested=requested, supported=SUPPORTED_VERSIONS)


def offered_token(subprotocols: str | None) -> str | None:
    """The token a client offers beside ``mangaassist`` in its ``Sec-WebSocket-Protocol`` header."""
    offers = [offer.strip() for offer in (subprotocols or "").split(",")]
    if len(offers) != 2 or offers[0] != SUBPROTOCOL or not offers[1]:
        return None
    return offers[1]
