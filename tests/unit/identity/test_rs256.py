"""RS256 by hand gives the answers of the library that is left out of the layers."""

from __future__ import annotations

import hashlib
import secrets

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from hypothesis import given, settings
from hypothesis import strategies as st

from mangaassist.identity.rs256 import SHA256_PREFIX, PublicKey, UnusableKey
from tests.unit.identity.keys import jwk, private_key

PKCS1, SHA256 = padding.PKCS1v15(), hashes.SHA256()
MODULUS = private_key().public_key().public_numbers().n
KEY = PublicKey(MODULUS)
LENGTH = 256


def _accepted_elsewhere(message: bytes, signature: bytes) -> bool:
    try:
        private_key().public_key().verify(signature, message, PKCS1, SHA256)
    except InvalidSignature:
        return False
    return True


def _sealed(block: bytes) -> bytes:
    """What the private key makes of a block of any form, which no signing function would."""
    numbers = private_key().private_numbers()
    return pow(int.from_bytes(block, "big"), numbers.d, MODULUS).to_bytes(LENGTH, "big")


@pytest.mark.req("SEC-1")
@given(message=st.binary(max_size=200))
@settings(max_examples=25, deadline=None)
def test_a_signature_counts_for_its_own_message_and_key_alone(message: bytes) -> None:
    signature = private_key().sign(message, PKCS1, SHA256)
    assert KEY.signed(message, signature)
    assert not KEY.signed(message + b"!", signature)
    assert not PublicKey.from_jwk(jwk("another key")).signed(message, signature)


@pytest.mark.req("SEC-1")
@given(position=st.integers(0, LENGTH - 1), bit=st.integers(0, 7))
@settings(max_examples=50, deadline=None)
def test_one_changed_bit_spoils_it(position: int, bit: int) -> None:
    signature = bytearray(private_key().sign(b"who I am", PKCS1, SHA256))
    signature[position] ^= 1 << bit
    assert not KEY.signed(b"who I am", bytes(signature))


DIGEST = hashlib.sha256(b"m").digest()
FORGED_BLOCKS = {
    "nothing": bytes(LENGTH),
    "short padding, then garbage behind the digest (Bleichenbacher 2006)": (
        b"\x00\x01" + b"\xff" * 8 + b"\x00" + SHA256_PREFIX + DIGEST
    ).ljust(LENGTH, b"\x5a"),
    "garbage inside the padding": b"\x00\x01"
    + b"\xff" * 100
    + b"\x5a"
    + b"\xff" * (LENGTH - 155)
    + b"\x00"
    + SHA256_PREFIX
    + DIGEST,
    "block type of encryption": b"\x00\x02" + b"\xff" * (LENGTH - 54) + b"\x00" + SHA256_PREFIX + DIGEST,
    "no name of the digest": b"\x00\x01" + b"\xff" * (LENGTH - 35) + b"\x00" + DIGEST,
    "another digest's name": b"\x00\x01"
    + b"\xff" * (LENGTH - 54)
    + b"\x00"
    + SHA256_PREFIX.replace(b"\x02\x01\x05", b"\x02\x03\x05")
    + DIGEST,
    "no NULL after the name of the digest": b"\x00\x01"
    + b"\xff" * (LENGTH - 52)
    + b"\x00"
    + bytes.fromhex("302f300b0609608648016503040201 0420".replace(" ", ""))
    + DIGEST,
    "no end of the padding": b"\x00\x01" + b"\xff" * (LENGTH - 53) + SHA256_PREFIX + DIGEST,
}


@pytest.mark.req("SEC-1")
@pytest.mark.parametrize("block", FORGED_BLOCKS.values(), ids=FORGED_BLOCKS)
def test_a_block_of_another_form_is_refused(block: bytes) -> None:
    assert len(block) == LENGTH
    assert not KEY.signed(b"m", _sealed(block))


def test_the_forger_of_these_tests_can_sign() -> None:
    block = b"\x00\x01" + b"\xff" * (LENGTH - 54) + b"\x00" + SHA256_PREFIX + DIGEST
    assert KEY.signed(b"m", _sealed(block))
    assert _accepted_elsewhere(b"m", _sealed(block))


@pytest.mark.req("SEC-1")
def test_lengths_and_ranges_are_strict() -> None:
    signature = private_key().sign(b"m", PKCS1, SHA256)
    beyond = int.from_bytes(signature, "big") + MODULUS
    candidates = [
        b"",
        b"\x00",
        signature[:-1],
        signature + b"\x00",
        b"\x00" + signature,
        beyond.to_bytes(LENGTH + 1, "big"),
        MODULUS.to_bytes(LENGTH, "big"),
        b"\xff" * LENGTH,
        secrets.token_bytes(LENGTH),
    ]
    for candidate in candidates:
        assert not KEY.signed(b"m", candidate)
        assert not _accepted_elsewhere(b"m", candidate)


@pytest.mark.parametrize(
    "changes",
    [
        {"kty": "EC"},
        {"kty": "oct", "k": "c2VjcmV0"},
        {"use": "enc"},
        {"alg": "RS512"},
        {"e": "Aw"},
        {"n": "AQAB"},
        {"n": None},
        {"n": "***"},
        {"n": "キー"},
    ],
)
def test_a_key_of_another_kind_is_not_used(changes: dict[str, object]) -> None:
    with pytest.raises(UnusableKey):
        PublicKey.from_jwk(jwk(**changes))
