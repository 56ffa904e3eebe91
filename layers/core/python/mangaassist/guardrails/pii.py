"""Personal data in text, replaced by typed placeholders (SEC-2).

Found are e-mail addresses, phone numbers, payment cards, bank accounts, social security and Individual Numbers, postal
codes, IP and street addresses: what has a form. Names of people have none and are not found here. Order numbers, ISBNs,
ASINs, prices and years are left alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from mangaassist.guardrails.detectors import Detector, Scanner, read_detectors


@dataclass(frozen=True, slots=True)
class Finding:
    """``text[start:end]`` of the original was personal data of ``type``; the data itself is not repeated."""

    type: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Redaction:
    """``text`` without personal data, and where it was."""

    text: str
    findings: tuple[Finding, ...]


@cache
def pii_detectors() -> tuple[Detector, ...]:
    """The detectors of ``data/pii.json``, in order of precedence."""
    return read_detectors(Path(__file__).parent / "data" / "pii.json", lambda type_: f"[{type_}]")


@cache
def _scanner() -> Scanner:
    return Scanner(pii_detectors())


def redact(text: str) -> Redaction:
    """``text`` with personal data replaced by placeholders such as ``[EMAIL]``."""
    clean, spans = _scanner().replace(text)
    return Redaction(clean, tuple(Finding(span.type, span.start, span.end) for span in spans))
