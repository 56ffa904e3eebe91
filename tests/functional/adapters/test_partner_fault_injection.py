"""The twin's fault injector around the real partner services: what each of the seven clients makes of each kind."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.adapters.partner_orders import HttpOrders
from mangaassist.adapters.partner_pricing import HttpPricing
from mangaassist.adapters.partner_profiles import HttpProfiles
from mangaassist.adapters.partner_promotions import HttpPromotions
from mangaassist.adapters.partner_returns import HttpReturns
from mangaassist.adapters.partner_reviews import HttpReviews
from mangaassist.adapters.partner_shipping import HttpShipping
from mangaassist.errors import (
    DependencyError,
    DependencyThrottled,
    DependencyTimeout,
    DependencyUnavailable,
)
from services.partners.app import create_app
from services.partners.database.sessions import Database
from services.partners.security import Credentials
from tests.contract.consumer.customers import DELIVERED
from tests.contract.consumer.expectations import BOOK, CREDENTIAL, CUSTOMER, ORDER
from tests.contract.consumer.products import NOON
from tests.contract.provider.conftest import serving
from tests.contract.provider.states import arrangements
from tests.functional.adapters.conftest import ONCE
from tools.twin.faults import Fault, FaultInjector

Asks = Callable[[PartnerHttp, int], Coroutine[Any, Any, object]]
ASKS: dict[str, Asks] = {
    "pricing": lambda http, ms: HttpPricing(http).offers([BOOK], deadline_ms=ms),
    "reviews": lambda http, ms: HttpReviews(http).ratings([BOOK], deadline_ms=ms),
    "promotions": lambda http, ms: HttpPromotions(http, now=lambda: NOON).running(deadline_ms=ms),
    "orders": lambda http, ms: HttpOrders(http).order(CUSTOMER, ORDER, deadline_ms=ms),
    "shipping": lambda http, ms: HttpShipping(http).of_order(CUSTOMER, ORDER, deadline_ms=ms),
    "returns": lambda http, ms: HttpReturns(http).eligibility(CUSTOMER, ORDER, deadline_ms=ms),
    "profile": lambda http, ms: HttpProfiles(http).profile(CUSTOMER, deadline_ms=ms),
}
PLENTY_MS = 60_000
KINDS: list[tuple[Fault, type[DependencyError], int]] = [
    (Fault("delay", delay_ms=30_000), DependencyTimeout, 100),
    (Fault("error"), DependencyUnavailable, PLENTY_MS),
    (Fault("error", status=503), DependencyUnavailable, PLENTY_MS),
    (Fault("throttle"), DependencyThrottled, PLENTY_MS),
    (Fault("truncate"), DependencyUnavailable, PLENTY_MS),
    (Fault("garbage"), DependencyError, PLENTY_MS),
]


@dataclass(frozen=True)
class Disturbed:
    """The services, and what disturbs them."""

    url: str
    faults: FaultInjector


@pytest.fixture
def disturbed(tmp_path: Path) -> Iterator[Disturbed]:
    database = Database(f"sqlite:///{tmp_path / 'partners.db'}")
    arrangements(database)[DELIVERED]()
    app = create_app(database, Credentials(CREDENTIAL, "fault-administrator-01"), clock=lambda: NOON)
    faults = FaultInjector(app, services=["partners"], service_of=lambda scope: "partners")
    # Nobody waits for an answer that is 30 seconds late.
    with serving(faults, leave_unfinished=True) as url:
        yield Disturbed(url, faults)
    database.close()


@pytest.mark.req("RES-5", "CAT-2")
@pytest.mark.parametrize("service", ASKS)
def test_each_kind_of_fault_has_its_outcome_and_the_next_call_is_fine(
    disturbed: Disturbed, service: str
) -> None:
    http = PartnerHttp(disturbed.url, lambda: [CREDENTIAL], guarded=ONCE)
    for fault, kind, deadline_ms in KINDS:
        disturbed.faults.set("partners", fault)
        with pytest.raises(DependencyError) as caught:
            asyncio.run(ASKS[service](http, deadline_ms))
        assert type(caught.value) is kind, fault
        assert caught.value.dependency == service
        disturbed.faults.clear()
        asyncio.run(ASKS[service](http, PLENTY_MS))
    http.close()
