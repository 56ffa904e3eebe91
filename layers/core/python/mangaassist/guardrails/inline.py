"""The guard inside the stream: personal data and other stores' names never leave, not even half of them (GRD-3).

Text goes out as it comes in, except for an end that could be the beginning of a match: that waits until the next
characters decide. Whatever the chunks, what comes out is ``scrub`` of the whole text.
"""

from __future__ import annotations

from functools import cache

from mangaassist.guardrails.competitors import competitor_detectors
from mangaassist.guardrails.detectors import LEFT_CONTEXT, Scanner, splice
from mangaassist.guardrails.pii import pii_detectors


@cache
def _scanner() -> Scanner:
    return Scanner((*pii_detectors(), *competitor_detectors()))


def scrub(text: str) -> str:
    """The whole text at once, as the guard lets it out."""
    return _scanner().replace(text)[0]


class InlineGuard:
    """Guards one stream. ``intervened`` tells whether anything was replaced."""

    def __init__(self) -> None:
        self._scanner = _scanner()
        self._text = ""
        self._sent = 0
        self.intervened = False

    def feed(self, chunk: str) -> str:
        """What may go out now."""
        self._text += chunk
        settled, spans = self._scanner.settled(self._text, self._sent)
        out = splice(self._text, spans, self._sent, settled)
        self.intervened = self.intervened or bool(spans)
        # Patterns look back a little, so a little of what is out is kept.
        kept_from = max(0, settled - LEFT_CONTEXT)
        self._text, self._sent = self._text[kept_from:], settled - kept_from
        return out

    def flush(self) -> str:
        """The rest, when the stream has ended."""
        spans = self._scanner.spans(self._text, self._sent)
        out = splice(self._text, spans, self._sent)
        self.intervened = self.intervened or bool(spans)
        self._text, self._sent = "", 0
        return out
