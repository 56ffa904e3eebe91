"""When which contract was verified against what: one entry for each contract, the newest one counts."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from tools.contracts.files import ROOT, Contract

CLOCK_SKEW: Final = timedelta(minutes=5)
"""A record may be this much younger than now; beyond it a clock is wrong."""
RESULTS = ROOT / "test-results" / "contracts"
"""Where a test run leaves its verifications, a file for each contract, so that parallel runs do not meet."""


@dataclass(frozen=True, slots=True)
class Verification:
    """``version`` is what the provider calls itself; ``verified_at`` is ISO 8601 in UTC."""

    sha256: str
    provider: str
    version: str
    verified_at: str

    @property
    def moment(self) -> datetime:
        """``verified_at``."""
        return datetime.fromisoformat(self.verified_at)


def verified(contract: Contract, version: str, now: datetime) -> Verification:
    """What to remember of a contract that was kept at ``now``."""
    moment = now.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    return Verification(contract.sha256, contract.provider, version, moment)


def leave(contract: Contract, verification: Verification, folder: Path = RESULTS) -> None:
    """For whoever gathers the run's results."""
    folder.mkdir(parents=True, exist_ok=True)
    save({contract.name: verification}, folder / f"{contract.name}.json")


def load(path: Path) -> dict[str, Verification]:
    """The records in a file; none where there is no file, and unusable ones count as none."""
    try:
        document = json.loads(path.read_text("utf-8"))
        found = {str(name): Verification(**entry) for name, entry in document.items()}
        # An unreadable moment, or one without a zone, cannot be compared with now.
        return {name: each for name, each in found.items() if each.moment.tzinfo is not None}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def newest(*sources: Mapping[str, Verification], now: datetime | None = None) -> dict[str, Verification]:
    """Of each contract the latest; one from after ``now`` only where there is no other, lest it hide all to come."""
    latest = (now or datetime.now(UTC)) + CLOCK_SKEW

    def rank(verification: Verification) -> tuple[bool, datetime]:
        return verification.moment <= latest, verification.moment

    found: dict[str, Verification] = {}
    for source in sources:
        for name, verification in source.items():
            if name not in found or rank(verification) > rank(found[name]):
                found[name] = verification
    return found


def left(folder: Path = RESULTS, *, now: datetime | None = None) -> dict[str, Verification]:
    """What test runs left."""
    return newest(*(load(path) for path in sorted(folder.glob("*.json"))), now=now)


def save(records: Mapping[str, Verification], path: Path) -> None:
    """As JSON, by name."""
    document = {name: asdict(records[name]) for name in sorted(records)}
    path.write_text(json.dumps(document, indent=2) + "\n", "utf-8")


def only(records: Mapping[str, Verification], names: Iterable[str]) -> dict[str, Verification]:
    """Without contracts that are gone."""
    kept = set(names)
    return {name: each for name, each in records.items() if name in kept}
