"""A real language model instead of the stand-in: any server that speaks OpenAI's chat completions.

``TWIN_LLM_URL`` names it (Ollama, vLLM, llama.cpp), ``TWIN_LLM_MODEL`` the model there, ``TWIN_LLM_KEY`` its key if it
wants one. Text is passed on chunk by chunk; closing the generator closes the connection, which ends the server's work.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

from tools.twin.models.errors import ServiceError
from tools.twin.models.generation import Call, Event, Finish, Reasoning, Text

if TYPE_CHECKING:
    import httpx

CONNECT_TIMEOUT_SECONDS = 5.0
SILENCE_TIMEOUT_SECONDS = 120.0
"""A model on a laptop may load for a minute before its first token."""

STOP_REASONS: Mapping[str, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "content_filtered",
    "tool_calls": "tool_use",
}
CODES: Mapping[int, str] = {
    400: "ValidationException",
    401: "AccessDeniedException",
    403: "AccessDeniedException",
    404: "ResourceNotFoundException",
    408: "ModelTimeoutException",
    422: "ValidationException",
    429: "ThrottlingException",
    503: "ServiceUnavailableException",
}
"""The server's statuses as Bedrock's errors; any other is a ``ModelErrorException``."""


class Upstream:
    """Forwards calls to the server at ``url``, with or without ``/v1`` at its end."""

    def __init__(self, url: str, model: str, key: str | None = None) -> None:
        self._url = url.rstrip("/").removesuffix("/v1") + "/v1/chat/completions"
        self._model = model
        self._headers = {"authorization": f"Bearer {key}"} if key else {}
        self._client: httpx.AsyncClient | None = None

    @property
    def name(self) -> str:
        """The model as it was configured; an answer may name it more exactly."""
        return self._model

    async def generate(self, call: Call) -> AsyncGenerator[Event]:
        """The server's events; raises ``ServiceError`` in Bedrock's terms."""
        import httpx  # only here, so that the stand-in does not pay for it

        try:
            request = self._connection(httpx).stream(
                "POST", self._url, json=self._body(call), headers=self._headers
            )
            async with request as response:
                if response.status_code != 200:
                    raise await _refusal(response)
                async for event in _events(response, call, self._model):
                    yield event
        except httpx.ConnectError as error:
            raise ServiceError(
                "ServiceUnavailableException",
                f"no server answers at {self._url}; start it, or unset TWIN_LLM_URL",
            ) from error
        except httpx.TimeoutException as error:
            raise ServiceError("ModelTimeoutException", f"the server at {self._url} fell silent") from error
        except httpx.HTTPError as error:
            raise ServiceError(
                "ModelErrorException", f"the connection to {self._url} broke: {type(error).__name__}"
            ) from error

    async def close(self) -> None:
        """Close idle connections."""
        if self._client is not None:
            await self._client.aclose()

    def _connection(self, httpx: Any) -> httpx.AsyncClient:
        client = self._client
        if client is None:
            timeout = httpx.Timeout(SILENCE_TIMEOUT_SECONDS, connect=CONNECT_TIMEOUT_SECONDS)
            # A proxy of the environment is for the internet, not for a model next door.
            client = self._client = httpx.AsyncClient(timeout=timeout, trust_env=False)
        return client

    def _body(self, call: Call) -> dict[str, Any]:
        messages = [{"role": role, "content": text} for role, text in call.messages]
        if call.system:
            messages.insert(0, {"role": "system", "content": call.system})
        options = {
            "temperature": call.temperature,
            "top_p": call.top_p,
            "stop": list(call.stop_sequences) or None,
        }
        return {
            "model": self._model,
            "messages": messages,
            "max_tokens": call.max_tokens,
            "stream": True,
            "stream_options": {"include_usage": True},
            **{name: value for name, value in options.items() if value is not None},
        }


async def _events(response: httpx.Response, call: Call, model: str) -> AsyncIterator[Event]:
    stop_reason: str | None = None
    usage: Mapping[str, Any] = {}
    spoken = 0
    async for document in _documents(response):
        if (failure := document.get("error")) is not None:
            told = failure.get("message") if isinstance(failure, dict) else failure
            raise ServiceError("ModelErrorException", f"the model's server failed: {told}")
        model = str(document.get("model") or model)
        usage = document.get("usage") or usage
        for choice in document.get("choices") or ():
            delta = choice.get("delta") or {}
            if thought := delta.get("reasoning_content") or delta.get("reasoning"):
                yield Reasoning(str(thought))
            if text := delta.get("content"):
                spoken += 1
                yield Text(str(text))
            if reason := choice.get("finish_reason"):
                stop_reason = STOP_REASONS.get(str(reason), "end_turn")
    if stop_reason is None:
        raise ServiceError(
            "ModelErrorException", "the model's server ended the stream before the answer's end"
        )
    yield Finish(
        stop_reason=stop_reason,
        input_tokens=int(usage.get("prompt_tokens", call.input_tokens)),
        output_tokens=int(usage.get("completion_tokens", spoken)),
        answered_by=model,
    )


async def _documents(response: httpx.Response) -> AsyncIterator[Mapping[str, Any]]:
    """The JSON of each server-sent event, up to ``[DONE]``."""
    async for line in response.aiter_lines():
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        try:
            document = json.loads(data)
        except ValueError as error:
            raise ServiceError("ModelErrorException", "the model's server sent what is no JSON") from error
        if isinstance(document, dict):
            yield document


async def _refusal(response: httpx.Response) -> ServiceError:
    body = (await response.aread()).decode(errors="replace")
    try:
        told = json.loads(body)["error"]["message"]
    except (ValueError, KeyError, TypeError):
        told = body.strip()[:200] or "no reason given"
    status = response.status_code
    code = CODES.get(status, "ModelErrorException")
    extra = {"originalStatusCode": status} if code == "ModelErrorException" else {}
    return ServiceError(code, f"the model's server answered {status}: {told}", extra)
