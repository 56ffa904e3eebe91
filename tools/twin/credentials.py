"""The credentials that the twin's partner services ask for: made once per home, readable by its owner alone."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass

from tools.twin.layout import Layout


@dataclass(frozen=True)
class PartnerCredentials:
    """``reader`` is what the assistant's functions hold; ``admin`` may change prices."""

    reader: str
    admin: str


def partner_credentials(layout: Layout) -> PartnerCredentials:
    """Those of this twin, made at the first call."""
    path = layout.home / "partner-credentials.json"
    try:
        return PartnerCredentials(**json.loads(path.read_text()))
    except (OSError, ValueError, TypeError):
        made = PartnerCredentials(secrets.token_urlsafe(24), secrets.token_urlsafe(24))
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump(asdict(made), file)
    beside.replace(path)
    return made
