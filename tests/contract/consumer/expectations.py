"""What a consumer expects of a provider, said once: a request that a real client makes, and the answer it can read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pact import Pact, match

from mangaassist.adapters.partner_http import PartnerHttp
from mangaassist.resilience.guarded import Guarded
from mangaassist.resilience.retrying import Retrying
from tools.contracts.files import canonical

CREDENTIAL: Final = "contract-credential-0001"
DEADLINE_MS: Final = 30_000

# The books, customers and orders of every contract; the providers' tests arrange them.
BOOK, CHEAP_BOOK, UNKNOWN_BOOK = "B0CONTRAC1", "B0CONTRAC2", "B0UNKNOWN1"
SERIES = "MG90001"
CUSTOMER, ORDER, OTHER_ORDER = "customer-7001", "order-7001-01", "order-7002-01"


def asin(example: str) -> Any:
    return match.regex(example, regex=r"^[A-Z0-9]{10}$")


def money(example: str) -> Any:
    """Decimal text with two places, and its currency."""
    return {
        "amount": match.regex(example, regex=r"^\d{1,9}\.\d{2}$"),
        "currency": match.regex("USD", regex="^[A-Z]{3}$"),
    }


def instant(example: str) -> Any:
    return match.regex(example, regex=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z$")


def one_of(*words: str) -> Any:
    """A closed vocabulary; the first is the example."""
    return match.regex(words[0], regex=f"^({'|'.join(words)})$")


@dataclass(frozen=True)
class Expectation:
    """One interaction. ``ask`` makes the request and returns what ``check`` looks at."""

    description: str
    state: str
    path: str
    ask: Callable[[str], Any]
    check: Callable[[Any], bool]
    body: Any = None
    query: tuple[tuple[str, Any], ...] = ()
    status: int = 200
    media_type: str = "application/json"


def asked(call: Callable[[PartnerHttp], Awaitable[Any]]) -> Callable[[str], Any]:
    """``call`` with a client of ours; the way every expectation but an old reader's asks."""

    def ask(url: str) -> Any:
        http = PartnerHttp(url, lambda: [CREDENTIAL], guarded=Guarded(Retrying(attempts=1)))

        async def run() -> Any:
            return await call(http)

        try:
            return asyncio.run(run())
        finally:
            http.close()

    return ask


def unknown(description: str, state: str, path: str, ask: Callable[[str], Any]) -> Expectation:
    """What is not there, or somebody else's: a problem document (RFC 9457) that says 404."""
    return Expectation(
        description,
        state,
        path,
        ask,
        lambda found: not found,
        body={"title": match.type("Not Found"), "status": match.integer(404)},
        status=404,
        media_type="application/problem+json",
    )


def contract(consumer: str, provider: str, expectations: Sequence[Expectation], folder: Path) -> str:
    """The pact that the expectations make, each proven with its client; ``folder`` is for the library's files."""
    for each in expectations:
        pact = Pact(consumer, provider)
        interaction = (
            pact.upon_receiving(each.description)
            .given(each.state)
            .with_request("GET", each.path)
            .with_header("Authorization", match.regex(f"Bearer {CREDENTIAL}", regex=r"^Bearer \S+$"))
            .with_header("Accept", "application/json")
        )
        for name, value in each.query:
            interaction = interaction.with_query_parameter(name, value)
        interaction = interaction.will_respond_with(each.status).with_header("Content-Type", each.media_type)
        interaction.with_body(each.body, each.media_type)
        with pact.serve("127.0.0.1") as server:
            found = each.ask(str(server.url))
        assert each.check(found), f"{each.description}: the client made {found!r} of it"
        pact.write_file(folder)
    [written] = folder.glob("*.json")
    return canonical(json.loads(written.read_text("utf-8")))
