"""The providers' side: the partner services keep every contract, and a release that would not is told apart."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mangaassist.errors import DependencyError
from mangaassist.store.facts import ReturnEligibility
from services.partners.app import VERSION
from tests.contract.consumer import customers, first_vocabulary, products
from tests.contract.provider.changed import Edit, converted, renamed, without
from tests.contract.provider.conftest import StartProvider
from tools.contracts.files import FOLDER, contracts, read
from tools.contracts.records import leave, verified
from tools.contracts.verification import problems

PARTNERS = {"pricing", "reviews", "promotions", "orders", "shipping", "returns", "profile"}
NAMES = [each.name for each in contracts() if each.provider in PARTNERS]
NEW, OLD = "mangaassist-returns", f"{first_vocabulary.CONSUMER}-returns"


def test_every_partner_has_a_contract() -> None:
    assert {read(FOLDER / f"{name}.json").provider for name in NAMES} == PARTNERS


@pytest.mark.req("CAT-3", "CAT-2")
@pytest.mark.parametrize("name", NAMES)
def test_the_partner_services_keep_the_contract(partners: StartProvider, name: str) -> None:
    kept = read(FOLDER / f"{name}.json")
    with partners() as provider:
        assert problems(kept.path, provider.url, provider.states_url) == []
    leave(kept, verified(kept, VERSION, datetime.now(UTC)))


BREAKS: list[tuple[str, Edit, str]] = [
    ("pricing", renamed("offers", "*", "price", to="current_price"), "$.offers[0]: Actual map is missing the following keys: price"),
    ("pricing", without("offers", "*", "price", "currency"), "$.offers[0].price: Actual map is missing the following keys: currency"),
    ("pricing", converted("offers", "*", "stock", by=str), "$.offers[0].stock: Expected '7' (String) to be an integer"),
    ("pricing", without("signals", "*", "seller", "age_days"), "$.signals[0].seller: Actual map is missing the following keys: age_days"),
    ("reviews", renamed("summaries", "*", "average", to="mean"), "$.summaries[0]: Actual map is missing the following keys: average"),
    ("promotions", without("promotions", "*", "title", "ja"), "$.promotions[0].title: Actual map is missing the following keys: ja"),
    ("orders", converted("orders", "*", "status", by=str.upper), "$.orders[0].status: Expected 'DELIVERED' to match"),
    ("shipping", without("shipments", "*", "carrier"), "$.shipments[0]: Actual map is missing the following keys: carrier"),
    ("returns", without("eligibility_v2", "reason"), "$.eligibility_v2: Actual map is missing the following keys: reason"),
    ("profile", converted("favourite_genres", by=lambda names: ", ".join(names)), "$.favourite_genres: Type mismatch"),
]  # fmt: skip


@pytest.mark.req("CAT-3")
@pytest.mark.parametrize(("name", "edit", "told"), BREAKS)
def test_a_broken_field_is_named(partners: StartProvider, name: str, edit: Edit, told: str) -> None:
    with partners(edit) as provider:
        found = problems(FOLDER / f"mangaassist-{name}.json", provider.url, provider.states_url)
    assert any(told in sentence for sentence in found), found
    # Each sentence begins with the interaction it is about.
    assert all(sentence.startswith("a request ") for sentence in found)


def test_fields_may_be_added(partners: StartProvider) -> None:
    with partners(lambda document: {**document, "added": {"later": True}}) as provider:
        assert problems(FOLDER / f"{NEW}.json", provider.url, provider.states_url) == []


def test_an_expectation_that_nobody_meets_is_told(partners: StartProvider, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    text = (FOLDER / "mangaassist-reviews.json").read_text("utf-8")
    broken.write_text(text.replace("/reviews/v1/summaries", "/reviews/v9/summaries"), "utf-8")
    with partners() as provider:
        found = problems(broken, provider.url, provider.states_url)
    assert any("expected 200 but was 404" in sentence for sentence in found), found


def test_a_state_that_cannot_be_arranged_is_no_success(partners: StartProvider, tmp_path: Path) -> None:
    strange = tmp_path / "strange.json"
    text = (FOLDER / "mangaassist-reviews.json").read_text("utf-8")
    strange.write_text(text.replace("a book was rated", "a book was burned"), "utf-8")
    with partners() as provider:
        assert problems(strange, provider.url, provider.states_url)


OLD_PROVIDER = without("eligibility_v2")
LATER_PROVIDER = without("eligible")


@pytest.mark.req("CAT-3")
def test_both_readers_of_returns_are_served_while_both_vocabularies_are_spoken(
    partners: StartProvider,
) -> None:
    with partners() as provider:
        for name in (OLD, NEW):
            assert problems(FOLDER / f"{name}.json", provider.url, provider.states_url) == []
        provider.states[customers.DELIVERED]()
        assert first_vocabulary.may_be_sent_back(provider.url) is True
        assert _new_reader(provider.url) == ReturnEligibility(
            customers.ORDER, "eligible", "within_return_window", "2026-11-23T10:00:00Z"
        )


@pytest.mark.req("CAT-3")
def test_a_provider_from_before_v2_serves_the_old_reader_and_the_new_one_by_its_fallback(
    partners: StartProvider,
) -> None:
    with partners(OLD_PROVIDER) as provider:
        assert problems(FOLDER / f"{OLD}.json", provider.url, provider.states_url) == []
        told = problems(FOLDER / f"{NEW}.json", provider.url, provider.states_url)
        assert any("missing the following keys: eligibility_v2" in sentence for sentence in told), told
        provider.states[customers.DELIVERED]()
        assert _new_reader(provider.url) == ReturnEligibility(customers.ORDER, "eligible", "", None)
        provider.states["a customer has one order on its way"]()
        assert _new_reader(provider.url) == ReturnEligibility(customers.ORDER, "ineligible", "", None)


@pytest.mark.req("CAT-3")
def test_withdrawing_eligible_breaks_the_old_reader_and_nobody_else(partners: StartProvider) -> None:
    with partners(LATER_PROVIDER) as provider:
        told = problems(FOLDER / f"{OLD}.json", provider.url, provider.states_url)
        assert any("missing the following keys: eligible" in sentence for sentence in told), told
        assert problems(FOLDER / f"{NEW}.json", provider.url, provider.states_url) == []


def _new_reader(url: str) -> ReturnEligibility:
    return customers.RETURNS[0].ask(url)


def test_a_broken_field_fails_the_client_by_the_same_name(partners: StartProvider) -> None:
    with partners(renamed("offers", "*", "price", to="current_price")) as provider:
        provider.states[products.PRICING[0].state]()
        with pytest.raises(DependencyError, match=r"^pricing: offers\.0\.price: missing"):
            products.PRICING[0].ask(provider.url)
