"""Language models over Bedrock's ConverseStream.

The SDK's stream blocks, so one thread reads it and hands events to the event loop; nothing is buffered on purpose,
and leaving the iterator shuts the socket down at once, which ends the thread's read and the model's work. Before the
response's headers there is no socket in our hands: such a thread is left behind and ends by the client's read
time-out. It is a daemon of our own, because the event loop would not close before a thread of its executor ends.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from mangaassist.adapters.errors import THROTTLES, translate
from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout
from mangaassist.ports import ModelEvent, ModelRequest, StreamEnd, TextChunk

if TYPE_CHECKING:
    from collections.abc import Callable

DEPENDENCY = "bedrock"
FAREWELL_SECONDS: Final = 0.5
"""How long a shut-down stream's thread is waited for: Lambda freezes the process after the reply."""


class BedrockLanguageModel:
    """Streams answers; ``client`` is a bedrock-runtime client.

    ``profiles`` maps model ids to inference profiles of our own: such a model is called through its profile, whose tags
    tell on the bill what the call was for.
    """

    def __init__(self, client: Any, profiles: Mapping[str, str] | None = None) -> None:
        self._client = client
        self._profiles = profiles or {}

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Text as the model sends it, then one ``StreamEnd``.

        Raises:
            DependencyThrottled: before or within the stream.
            DependencyTimeout: no first event within ``request.timeout_ms``.
            DependencyError: anything else, with the service's code.
        """
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[ModelEvent | DependencyError] = asyncio.Queue()
        over = asyncio.Event()
        target = self._profiles.get(request.model_id, request.model_id)
        reader = _Reader(
            self._client, _arguments(request, target), lambda event: _tell(loop, events.put_nowait, event)
        )

        def read() -> None:
            reader.run()
            _tell(loop, over.set)

        threading.Thread(target=read, name="bedrock-stream", daemon=True).start()
        try:
            patience: float | None = request.timeout_ms / 1000
            while True:
                try:
                    async with asyncio.timeout(patience):
                        event = await events.get()
                except TimeoutError:
                    raise DependencyTimeout(
                        DEPENDENCY, f"no first event in {request.timeout_ms} ms"
                    ) from None
                patience = None
                if isinstance(event, DependencyError):
                    raise event
                yield event
                if isinstance(event, StreamEnd):
                    return
        finally:
            if reader.stop():
                with suppress(TimeoutError):
                    async with asyncio.timeout(FAREWELL_SECONDS):
                        await over.wait()


def _tell(loop: asyncio.AbstractEventLoop, act: Callable[..., object], *arguments: object) -> None:
    """Call ``act`` in the loop; once it has closed, nobody is there to care."""
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(act, *arguments)


class _Reader:
    """Reads one stream in a thread and can be stopped from another."""

    def __init__(
        self, client: Any, arguments: dict[str, Any], emit: Callable[[ModelEvent | DependencyError], object]
    ) -> None:
        self._client = client
        self._arguments = arguments
        self._emit = emit
        self._lock = threading.Lock()
        self._stream: Any = None
        self._stopped = False

    def stop(self) -> bool:
        """End the read in progress; harmless when it is over. Tells whether there was a stream to end."""
        with self._lock:
            self._stopped = True
            if self._stream is None:
                return False
            _shut_down(self._stream)
            return True

    def run(self) -> None:
        """Open the stream and emit its events; a failure is emitted as the last one."""
        from botocore.exceptions import EventStreamError

        try:
            response = self._client.converse_stream(**self._arguments)
            with self._lock:
                self._stream = response["stream"]
                if self._stopped:
                    return
            self._read(self._stream)
        except EventStreamError as error:
            self._emit(_in_stream(error))
        except Exception as error:
            # A socket shut down by stop(), or bytes that are no event stream: the SDK has no one class for these.
            unknown = DependencyError(DEPENDENCY, type(error).__name__)
            self._emit(translate(DEPENDENCY, error) or unknown)
        finally:
            if self._stream is not None:
                self._stream.close()

    def _read(self, stream: Any) -> None:
        stop_reason: str | None = None
        end: StreamEnd | None = None
        for event in stream:
            if self._stopped:
                return
            if (delta := event.get("contentBlockDelta")) is not None:
                # reasoningContent and other kinds of delta are not for the shopper.
                if text := delta.get("delta", {}).get("text"):
                    self._emit(TextChunk(text))
            elif (stop := event.get("messageStop")) is not None:
                stop_reason = str(stop.get("stopReason", "unknown"))
            elif (metadata := event.get("metadata")) is not None:
                usage = metadata.get("usage", {})
                invoked = metadata.get("trace", {}).get("promptRouter", {}).get("invokedModelId")
                end = StreamEnd(
                    stop_reason=stop_reason or "unknown",
                    input_tokens=int(usage.get("inputTokens", 0)),
                    output_tokens=int(usage.get("outputTokens", 0)),
                    answered_by=cast("str | None", invoked),
                )
        if stop_reason is None:
            # The socket closed early; without messageStop the answer is not whole.
            raise ConnectionError("stream ended before messageStop")
        self._emit(end or StreamEnd(stop_reason=stop_reason))


def _arguments(request: ModelRequest, target: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "modelId": target,
        "system": [{"text": request.system}],
        "messages": [
            {"role": message.role, "content": [{"text": message.text}]} for message in request.messages
        ],
        "inferenceConfig": {"maxTokens": request.max_tokens},
    }
    extra = dict(request.parameters)
    if (effort := extra.pop("effort", None)) is not None:
        # A field of Converse itself, not of the model.
        arguments["outputConfig"] = {"effort": effort}
    if extra:
        arguments["additionalModelRequestFields"] = extra
    return arguments


def _in_stream(error: Any) -> DependencyError:
    code = str(error.response.get("Error", {}).get("Code", "Unknown"))
    return DependencyThrottled(DEPENDENCY, code) if code in THROTTLES else DependencyError(DEPENDENCY, code)


def _shut_down(stream: Any) -> None:
    """Interrupt a read that is blocked in another thread; closing the response there would wait for it."""
    raw = getattr(stream, "_raw_stream", None)
    shutdown = getattr(raw, "shutdown", None)
    if shutdown is None:
        return
    try:
        shutdown()
    except (OSError, RuntimeError, ValueError):
        # Nothing left to interrupt: the body was read to its end or the socket is closed already.
        return
