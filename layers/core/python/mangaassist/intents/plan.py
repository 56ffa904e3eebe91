"""What each intent needs: retrieval or not, which task answers, or which prepared reply (INT-5).

Intents whose live services the assistant does not ask yet get a reply that says what it can do now.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from mangaassist.intents.intents import Intent
from mangaassist.language import Language

_FOLDER = Path(__file__).parent / "data"


@dataclass(frozen=True, slots=True)
class Plan:
    """Either ``task`` names the model task that answers, or ``reply`` the prepared text.

    ``service`` names the store's service whose facts fill a template; ``reply`` is for when it does not answer.
    """

    retrieval: bool
    recommendations: bool
    """Whether titles are suggested beside the retrieved ones."""
    task: str | None
    reply: str | None
    service: Literal["promotions"] | None = None


def plan_for(intent: Intent) -> Plan:
    """The plan of an intent; every intent has one."""
    return _plans()[intent]


def reply_text(reply: str | None, language: Language) -> str:
    """A prepared text in one of the product's languages.

    Raises:
        KeyError: there is no such text.
    """
    return _replies()[reply or ""][language]


@cache
def _plans() -> Mapping[Intent, Plan]:
    document: dict[str, dict[str, Any]] = json.loads((_FOLDER / "plans.json").read_text("utf-8"))
    return {Intent(intent): Plan(**plan) for intent, plan in document.items()}


@cache
def _replies() -> Mapping[str, Mapping[Language, str]]:
    return json.loads((_FOLDER / "replies.json").read_text("utf-8"))
