"""What the gates read (INT-7): pure functions of what a model said and what is true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

CONFIDENT = 0.5
"""Under this the chat does not believe a label (mangaassist/chat/understanding.py), so it misroutes nobody."""


@dataclass(frozen=True)
class Guess:
    """The label a model gave, how sure it was, and the true one."""

    label: str
    confidence: float
    truth: str


def intent_metrics(guesses: Sequence[Guess]) -> dict[str, float]:
    """Accuracy, misrouting (confident and wrong), the lowest precision of a label, and each label's precision."""
    given, right = Counter(each.label for each in guesses), Counter[str]()
    for each in guesses:
        right[each.label] += each.label == each.truth
    truths = {each.truth for each in guesses}
    # A label that is never given has no precision; one that exists and is never given counts as 0.
    precision = {
        label: right[label] / given[label] if given[label] else 0.0 for label in sorted(truths | set(given))
    }
    return {
        "accuracy": sum(right.values()) / len(guesses),
        "misrouting": sum(each.label != each.truth and each.confidence >= CONFIDENT for each in guesses)
        / len(guesses),
        "lowest_precision": min(precision.values()),
        **{f"precision_{label}": value for label, value in precision.items()},
    }


def reranker_metrics(ranked: Sequence[Sequence[bool]]) -> dict[str, float]:
    """Of questions, each the relevance of its texts in ranked order: how often the first is right, and mean 1/rank."""
    ranks = [next((place for place, relevant in enumerate(texts, 1) if relevant), None) for texts in ranked]
    return {
        "first_is_right": sum(rank == 1 for rank in ranks) / len(ranks),
        "reciprocal_rank": sum(1 / rank for rank in ranks if rank is not None) / len(ranks),
    }
