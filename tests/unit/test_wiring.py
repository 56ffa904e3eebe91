"""Which promotions service the settings connect the assistant to."""

from __future__ import annotations

import pytest

from mangaassist import wiring
from mangaassist.adapters.partner_promotions import HttpPromotions
from mangaassist.errors import DependencyUnavailable
from mangaassist.settings import MessageSettings

NEEDED = {
    "SESSIONS_TABLE": "t",
    "POLICY_APPLICATION": "a",
    "POLICY_ENVIRONMENT": "e",
    "POLICY_PROFILE": "p",
    "SEARCH_ENDPOINT": "https://search.example",
    "MANAGEMENT_ENDPOINT": "https://socket.example",
    "GUARDRAIL_FUNCTION": "f",
}
ALL = {"PARTNERS_URL": "https://partners.example", "PARTNERS_CREDENTIAL_SECRET": "arn:all"}
OWN = {
    "PARTNER_PROMOTIONS_URL": "https://promotions.example",
    "PARTNER_PROMOTIONS_CREDENTIAL_SECRET": "arn:own",
}


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        (ALL, ("https://partners.example", "arn:all")),
        (OWN, ("https://promotions.example", "arn:own")),
        ({**ALL, **OWN}, ("https://promotions.example", "arn:own")),
    ],
    ids=["all-at-one-address", "promotions-alone", "promotions-elsewhere"],
)
def test_promotions_are_asked_where_the_settings_say(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], asked: tuple[str, str]
) -> None:
    made: list[tuple[str, str]] = []
    monkeypatch.setattr(
        "mangaassist.adapters.partner_clients.partner_http", lambda *address: made.append(address) or object()
    )
    services = wiring._store(MessageSettings.load({**NEEDED, **given}))
    assert isinstance(services.promotions, HttpPromotions)
    assert made[-1] == asked


async def test_without_an_address_promotions_are_unavailable() -> None:
    services = wiring._store(MessageSettings.load(NEEDED))
    with pytest.raises(DependencyUnavailable, match="not connected"):
        await services.promotions.running(deadline_ms=1)
