"""A whole recorded answer: its deltas, cards, buttons and citations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mangaassist.protocol import Frame
from tests.browser.chat_server import Answer

HORROR: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "horror.json").read_text("utf-8"))
HORROR_ENDING: dict[str, Any] = {key: HORROR[key] for key in ("cards", "buttons", "citations")}


def horror_answer(answer: Answer, **metadata: Any) -> list[Frame]:
    """Every frame of the recorded answer, from start to final."""
    return [
        answer.start(),
        *map(answer.delta, HORROR["deltas"]),
        answer.final(**HORROR_ENDING, metadata=metadata),
    ]
