"""The contracts as files: ``contracts/<consumer>-<provider>.json``, the same bytes whenever they say the same."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "contracts"
RECORDS: Final = FOLDER / "verified.json"
"""When each was last verified, as committed."""


@dataclass(frozen=True, slots=True)
class Contract:
    """``name`` is the file's without its suffix; ``sha256`` changes with any byte of it."""

    name: str
    path: Path
    provider: str
    sha256: str


class BadContract(ValueError):
    """A file of the folder is none; one line that says which and what to do."""


def read(path: Path) -> Contract:
    """One contract.

    Raises:
        BadContract: it is not there, or not one.
    """
    try:
        content = path.read_bytes()
        provider = str(json.loads(content)["provider"]["name"])
    except (OSError, ValueError, KeyError, TypeError):
        raise BadContract(
            f"{path.name} is no contract; generate it anew: python -m tools.contracts generate"
        ) from None
    return Contract(path.stem, path, provider, hashlib.sha256(content).hexdigest())


def contracts(folder: Path = FOLDER) -> list[Contract]:
    """Every contract, by name.

    Raises:
        BadContract: a file is none, or there are no files.
    """
    found = [read(path) for path in sorted(folder.glob("*.json")) if path.name != RECORDS.name]
    if not found:
        raise BadContract(f"no contract in {folder.name}/; write them: python -m tools.contracts generate")
    return found


def canonical(document: dict[str, Any]) -> str:
    """A pact as it is committed: interactions by description, and nothing about the tool that wrote it."""
    document = dict(document)
    document["interactions"] = sorted(document["interactions"], key=lambda each: str(each["description"]))
    document["metadata"] = {"pactSpecification": document["metadata"]["pactSpecification"]}
    return json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
