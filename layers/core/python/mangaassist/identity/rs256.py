"""RS256 signatures, checked with a public key alone (RSASSA-PKCS1-v1_5 with SHA-256, RFC 8017 section 8.2.2).

Checking needs one modular power and one comparison and handles no secret, so nothing can leak through its timing; the
``cryptography`` package would cost every function 15 MB and each handshake's cold start 50 ms for it
(docs/decisions/0005-sign-in-tokens-without-cryptography.md). Tests hold it to that package's answers.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SHA256_PREFIX: Final = bytes.fromhex("3031300d060960864801650304020105000420")
"""DER of a DigestInfo that names SHA-256, up to the digest itself (RFC 8017, section 9.2, note 1)."""
EXPONENT: Final = 65_537
"""The only public exponent accepted: small ones have made forgeries possible elsewhere."""
MODULUS_BITS: Final = range(2_048, 4_097)


class UnusableKey(ValueError):
    """A published key is not one that may check an RS256 signature."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An RSA public key whose exponent is ``EXPONENT``."""

    modulus: int

    @classmethod
    def from_jwk(cls, jwk: Mapping[str, object]) -> PublicKey:
        """The key of one entry of a JSON Web Key Set.

        Raises:
            UnusableKey: it is of another kind, for another use, or too weak.
        """
        if jwk.get("kty") != "RSA" or jwk.get("use", "sig") != "sig" or jwk.get("alg", "RS256") != "RS256":
            raise UnusableKey("not an RSA key for RS256 signatures")
        modulus, exponent = _number(jwk.get("n")), _number(jwk.get("e"))
        if exponent != EXPONENT or modulus.bit_length() not in MODULUS_BITS or modulus % 2 == 0:
            raise UnusableKey("weak or malformed")
        return cls(modulus)

    def signed(self, message: bytes, signature: bytes) -> bool:
        """Whether ``signature`` is this key's over ``message``."""
        length = (self.modulus.bit_length() + 7) // 8
        number = int.from_bytes(signature, "big")
        if len(signature) != length or number >= self.modulus:
            return False
        found = pow(number, EXPONENT, self.modulus).to_bytes(length, "big")
        # The whole expected block is built and compared; nothing of the found one is ever parsed.
        digest = SHA256_PREFIX + hashlib.sha256(message).digest()
        expected = b"\x00\x01" + b"\xff" * (length - len(digest) - 3) + b"\x00" + digest
        return hmac.compare_digest(found, expected)


def _number(text: object) -> int:
    if not isinstance(text, str):
        raise UnusableKey("a number is missing")
    try:
        return int.from_bytes(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)), "big")
    except (binascii.Error, ValueError):
        raise UnusableKey("a number is not base64url") from None
