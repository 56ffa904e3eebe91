"""IAM for the services that the twin serves itself: before an operation runs, the emulator is asked whether it may.

The emulator knows the deployed roles; this middleware knows which action on which resource a request stands for.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field

from tools.twin.faults import Application, ErrorBody, Message, Receive, Scope, Send

PATIENCE_SECONDS = 10
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
"""A proxy of this machine does not know the way to a twin on this machine."""
GRANTED_SECONDS = 1.0
"""A grant is remembered for so long, a denial never. IAM, too, takes its time to take a permission away; and ingest asks
for the same one two thousand times."""
MOST_GRANTS = 1_000
SIGNED_BY = re.compile(r"Credential=([^/,\s]+)/")


@dataclass(frozen=True)
class Demand:
    """An action on a resource, as IAM names them.

    The name of a resource type stands for the deployed resource of that type, whose ARN only the emulator knows, and
    ``index/<name>`` or ``collection/`` for something in the collection.
    """

    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)
    """Condition keys and their values, beside the global ones."""


DemandsOf = Callable[[Scope, bytes], Iterable[Demand]]
"""What a request with this body stands for; nothing for what needs no permission."""


class Gatekeeper:
    """ASGI middleware that lets a request through if the emulator grants all it stands for."""

    def __init__(
        self,
        app: Application,
        *,
        emulator: str,
        demands_of: DemandsOf,
        refusal: Callable[[str], ErrorBody],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            app: the service.
            emulator: its address.
            demands_of: see ``DemandsOf``.
            refusal: headers and body of a 403 with this sentence, in the service's own protocol.
            clock: of the grants that are remembered, in seconds.
        """
        self._app, self._demands_of, self._refusal = app, demands_of, refusal
        self._url = f"{emulator}/_twin/authorize"
        self._clock = clock
        self._granted: dict[bytes, float] = {}
        """Questions that were answered with yes, and until when that counts."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith("/_twin/"):
            await self._app(scope, receive, send)
            return
        body = await _whole(receive)
        demands = list(self._demands_of(scope, body))
        reason = await self._reason(scope, demands) if demands else None
        if reason is None:
            await self._app(scope, _again(body, receive), send)
            return
        headers, content = self._refusal(reason)
        raw = [(name.encode(), value.encode()) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": 403, "headers": raw})
        await send({"type": "http.response.body", "body": content})

    async def _reason(self, scope: Scope, demands: list[Demand]) -> str | None:
        """Why the caller may not, or ``None``. An emulator that does not answer grants nothing."""
        authorization = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
        signed_by = SIGNED_BY.search(authorization)
        if signed_by is None:
            return "the request is not signed"
        question = {"access_key": signed_by[1], "demands": [asdict(demand) for demand in demands]}
        asked = json.dumps(question).encode()
        if self._clock() < self._granted.get(asked, 0.0):
            return None
        reason = await asyncio.to_thread(self._ask, asked)
        if reason is None:
            if len(self._granted) >= MOST_GRANTS:
                self._granted.clear()
            self._granted[asked] = self._clock() + GRANTED_SECONDS
        return reason

    def _ask(self, question: bytes) -> str | None:
        try:
            with OPENER.open(self._url, question, timeout=PATIENCE_SECONDS) as answer:
                return json.load(answer)["reason"]
        except OSError as error:
            return f"the emulator does not say whether this is allowed ({error})"


async def _whole(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """The body that was read once more, then whatever comes, such as the caller's leaving."""
    sent = False

    async def receive_again() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_again
