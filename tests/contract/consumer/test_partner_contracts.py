"""The consumers' side: our real clients read what the contracts promise, and the committed contracts say exactly that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.contract.consumer import customers, first_vocabulary, products
from tests.contract.consumer.expectations import Expectation, contract
from tools.contracts.__main__ import WRITE
from tools.contracts.files import FOLDER

CONSUMER = "mangaassist"
EXPECTED: dict[tuple[str, str], Sequence[Expectation]] = {
    (CONSUMER, "pricing"): products.PRICING,
    (CONSUMER, "reviews"): products.REVIEWS,
    (CONSUMER, "promotions"): products.PROMOTIONS,
    (CONSUMER, "orders"): customers.ORDERS,
    (CONSUMER, "shipping"): customers.SHIPPING,
    (CONSUMER, "returns"): customers.RETURNS,
    (CONSUMER, "profile"): customers.PROFILE,
    (first_vocabulary.CONSUMER, "returns"): first_vocabulary.RETURNS,
}


@pytest.mark.req("CAT-3")
@pytest.mark.parametrize(("consumer", "provider"), EXPECTED, ids="-".join)
def test_clients_read_what_the_committed_contract_says(consumer: str, provider: str, tmp_path: Path) -> None:
    text = contract(consumer, provider, EXPECTED[consumer, provider], tmp_path)
    committed = FOLDER / f"{consumer}-{provider}.json"
    if os.environ.get(WRITE):
        committed.write_text(text, "utf-8")
    current = committed.read_text("utf-8") if committed.exists() else ""
    assert current == text, f"{committed.name} is stale; run: python -m tools.contracts generate"


def test_a_contract_says_the_same_whenever_it_is_written(tmp_path: Path) -> None:
    texts: list[str] = []
    for expectations in (products.PRICING, products.PRICING[::-1]):
        folder = tmp_path / str(len(texts))
        folder.mkdir()
        texts.append(contract(CONSUMER, "pricing", expectations, folder))
    assert texts[0] == texts[1]
