"""Is each contract still known to be kept? Verified as it is now, and not longer ago than a week (CAT-3)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from tools.contracts.files import Contract
from tools.contracts.records import CLOCK_SKEW, Verification

MAX_AGE: Final = timedelta(days=7)

Verdict = Literal["fresh", "stale", "changed", "never", "future"]
ADVICE: Final[Mapping[Verdict, str]] = {
    "fresh": "",
    "stale": "not verified for 7 days",
    "changed": "changed since it was verified",
    "never": "never verified",
    "future": "verified in the future: check the clock",
}


@dataclass(frozen=True, slots=True)
class Freshness:
    """What is known of one contract; ``age`` is absent where it was never verified."""

    contract: Contract
    verdict: Verdict
    verification: Verification | None
    age: timedelta | None


def judge(
    contracts: Sequence[Contract], records: Mapping[str, Verification], now: datetime
) -> list[Freshness]:
    """One for each contract; ``now`` has a time zone."""
    return [_judge(contract, records.get(contract.name), now) for contract in contracts]


def _judge(contract: Contract, verification: Verification | None, now: datetime) -> Freshness:
    if verification is None:
        return Freshness(contract, "never", None, None)
    age = now - verification.moment
    verdict: Verdict = "fresh"
    if verification.sha256 != contract.sha256:
        verdict = "changed"
    elif age < -CLOCK_SKEW:
        verdict = "future"
    elif age >= MAX_AGE:
        verdict = "stale"
    return Freshness(contract, verdict, verification, age)
