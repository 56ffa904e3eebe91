"""Language models over Bedrock's ConverseStream.

The SDK's stream blocks, so one thread reads it and hands events to the event loop; nothing is buffered on purpose,
and leaving the iterator shuts the socket down at once, which ends the thread's read and the model's work.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING, Any, cast

from mangaassist.adapters.errors import THROTTLES, translate
from mangaassist.errors import DependencyError, DependencyThrottled, DependencyTimeout
from mangaassist.ports import ModelEvent, ModelRequest, StreamEnd, TextChunk

if TYPE_CHECKING:
    from collections.abc import Callable

DEPENDENCY = "bedrock"


class BedrockLanguageModel:
    """Streams answers; ``client`` is a bedrock-runtime client."""

    def __init__(self, client: Any) -> None:
        self._client = client

    async def stream(self, request: ModelRequest) -> AsyncGenerator[ModelEvent]:
        """Text as the model sends it, then one ``StreamEnd``.

        Raises:
            DependencyThrottled: before or within the stream.
            DependencyTimeout: no event within ``request.timeout_ms``.
            DependencyError: anything else, with the service's code.
        """
        loop = asyncio.get_running_loop()
        events: asyncio.Queue[ModelEvent | DependencyError] = asyncio.Queue()
        reader = _Reader(
            self._client, request, lambda event: loop.call_soon_threadsafe(events.put_nowait, event)
        )
        thread = loop.run_in_executor(None, reader.run)
        try:
            while True:
                try:
                    async with asyncio.timeout(request.timeout_ms / 1000):
                        event = await events.get()
                except TimeoutError:
                    raise DependencyTimeout(DEPENDENCY, f"no event in {request.timeout_ms} ms") from None
                if isinstance(event, DependencyError):
                    raise event
                yield event
                if isinstance(event, StreamEnd):
                    return
        finally:
            reader.stop()
            # Lambda freezes the process after the reply: the thread must be over before that.
            await asyncio.shield(thread)


class _Reader:
    """Reads one stream in a thread and can be stopped from another."""

    def __init__(
        self, client: Any, request: ModelRequest, emit: Callable[[ModelEvent | DependencyError], object]
    ) -> None:
        self._client = client
        self._request = request
        self._emit = emit
        self._lock = threading.Lock()
        self._stream: Any = None
        self._stopped = False

    def stop(self) -> None:
        """End the read in progress and close the stream; harmless when it is over."""
        with self._lock:
            self._stopped = True
            if self._stream is not None:
                _shut_down(self._stream)

    def run(self) -> None:
        """Open the stream and emit its events; a failure is emitted as the last one."""
        from botocore.exceptions import BotoCoreError, ClientError, EventStreamError

        try:
            response = self._client.converse_stream(**_arguments(self._request))
            with self._lock:
                self._stream = response["stream"]
                if self._stopped:
                    return
            self._read(self._stream)
        except EventStreamError as error:
            self._emit(_in_stream(error))
        except (ClientError, BotoCoreError) as error:
            self._emit(translate(DEPENDENCY, error))
        except Exception as error:
            # A socket shut down by stop(), or bytes that are no event stream: the SDK has no one class for these.
            self._emit(DependencyError(DEPENDENCY, type(error).__name__))
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


def _arguments(request: ModelRequest) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "modelId": request.model_id,
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
