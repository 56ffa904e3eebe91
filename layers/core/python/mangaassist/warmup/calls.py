"""The first calls of an endpoint that was deployed or has scaled, made before shoppers make them (CAP-3)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle, islice
from typing import Final

from mangaassist.errors import DependencyError

CALLS_PER_INSTANCE: Final = 8
"""At once. Nobody can address one instance; with so many, each is likely to get some."""
MOST_CALLS: Final = 64
PASSAGES: Final = 10
"""What a turn sends to the reranker (RET-2)."""

_QUESTIONS: Final = ("where is my order", "Recommend horror manga like Junji Ito", "ホラー漫画のおすすめは？")
_PASSAGE: Final = "Uzumaki / うずまき\nJunji Ito / 伊藤潤二\nHorror ホラー\nSeinen 青年"


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How it went; ``slowest_ms`` is about what the first shopper would have waited."""

    calls: int
    failed: int
    slowest_ms: int


def intent_requests() -> list[bytes]:
    """Questions in both languages."""
    return [_body({"inputs": question}) for question in _QUESTIONS]


def rerank_requests() -> list[bytes]:
    """The shape of a turn's request."""
    return [
        _body({"query": question, "texts": [_PASSAGE] * PASSAGES, "truncate": True})
        for question in _QUESTIONS
    ]


def warm_up(
    invoke: Callable[[bytes], None],
    requests: Sequence[bytes],
    *,
    instances: int,
    clock: Callable[[], float],
) -> WarmUp:
    """Make the calls, all at once; ``invoke`` raises ``DependencyError`` and ``clock`` gives seconds."""
    wanted = min(max(1, instances) * CALLS_PER_INSTANCE, MOST_CALLS)

    def one(body: bytes) -> float | None:
        began = clock()
        try:
            invoke(body)
        except DependencyError:
            return None
        return clock() - began

    with ThreadPoolExecutor(wanted) as pool:
        spent = list(pool.map(one, _bodies(requests, wanted)))
    answered = [seconds for seconds in spent if seconds is not None]
    return WarmUp(wanted, wanted - len(answered), round(max(answered, default=0.0) * 1000))


def _bodies(requests: Sequence[bytes], wanted: int) -> Iterator[bytes]:
    return islice(cycle(requests), wanted)


def _body(document: dict[str, object]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode()
