"""A misbehaving server and a client that asks it once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.resilience.guarded import Guarded
from mangaassist.resilience.retrying import Retrying
from tests.functional.adapters.misbehaving import Misbehaving, misbehaving

ONCE = Guarded(Retrying(attempts=1))


@pytest.fixture
def server() -> Iterator[Misbehaving]:
    with misbehaving() as running:
        yield running


@pytest.fixture
def http(server: Misbehaving) -> Iterator[PartnerHttp]:
    client = PartnerHttp(server.url, lambda: ["credential"], guarded=ONCE)
    yield client
    client.close()
