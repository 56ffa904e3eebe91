"""The same client over TLS: answers, strange certificates, and a caller who leaves while the thread reads."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.adapters.partner_reviews import HttpReviews
from mangaassist.errors import DependencyUnavailable
from tests.functional.adapters.conftest import ONCE
from tests.functional.adapters.misbehaving import (
    Misbehaving,
    answer,
    drip,
    head,
    misbehaving,
    silence,
    time_out,
)

ASIN = "B0AAAAAAA1"
MS = 60_000


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Key and self-signed certificate of 127.0.0.1 in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "partner")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "partner.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def server(certificate: Path) -> Iterator[Misbehaving]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with misbehaving(context) as running:
        yield running


@pytest.fixture
def http(server: Misbehaving, certificate: Path) -> Iterator[PartnerHttp]:
    trusting = ssl.create_default_context(cafile=str(certificate))
    client = PartnerHttp(server.url, lambda: ["credential"], guarded=ONCE, tls=trusting)
    yield client
    client.close()


async def ask(http: PartnerHttp, deadline_ms: int = MS) -> None:
    await HttpReviews(http).ratings([ASIN], deadline_ms=deadline_ms)


async def test_an_answer_over_a_kept_connection(server: Misbehaving, http: PartnerHttp) -> None:
    server.will(answer({"summaries": []}))
    await ask(http)
    await ask(http)
    assert server.connections == 1


async def test_a_certificate_nobody_vouches_for(server: Misbehaving) -> None:
    server.will(answer({"summaries": []}))
    http = PartnerHttp(server.url, lambda: ["credential"], guarded=ONCE)
    with pytest.raises(DependencyUnavailable, match="ConnectError"):
        await ask(http)
    assert server.requests == [], "the credential was not sent"
    http.close()


@pytest.mark.parametrize("script", [silence(), drip(head(Content_Length="99999999"), b" ")])
async def test_the_deadline_and_a_leaving_caller_free_the_thread(
    server: Misbehaving, http: PartnerHttp, script: object
) -> None:
    server.will(script)  # pyright: ignore[reportArgumentType]
    await time_out(server, lambda deadline_ms: ask(http, deadline_ms), "reviews")
    assert await asyncio.to_thread(server.left.wait, 30)
    server.left.clear()
    while not server.asked.empty():
        server.asked.get()
    call = asyncio.create_task(ask(http, deadline_ms=10 * MS))
    await asyncio.to_thread(server.asked.get, timeout=30)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await asyncio.to_thread(server.left.wait, 30)
