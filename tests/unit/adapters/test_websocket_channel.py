"""What the management API's answers mean for a frame."""

from __future__ import annotations

from typing import Any

import pytest

from mangaassist.adapters.websocket_channel import WebSocketChannel
from mangaassist.errors import (
    ConnectionGone,
    DependencyError,
    DependencyThrottled,
    DependencyUnavailable,
    MangaAssistError,
)


async def test_a_frame_goes_to_its_connection(stubbed: Any) -> None:
    client, stub = stubbed("apigatewaymanagementapi")
    stub.add_response("post_to_connection", {}, {"ConnectionId": "c", "Data": b"{}"})
    await WebSocketChannel(client, "c").post(b"{}")


@pytest.mark.req("STR-4")
@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("GoneException", 410, ConnectionGone),
        ("410", 410, ConnectionGone),
        ("LimitExceededException", 429, DependencyThrottled),
        ("429", 429, DependencyThrottled),
        ("InternalServerError", 500, DependencyUnavailable),
        ("503", 503, DependencyUnavailable),
        ("ForbiddenException", 403, DependencyError),
    ],
)
async def test_every_refusal_has_its_meaning(
    stubbed: Any, code: str, status: int, kind: type[MangaAssistError]
) -> None:
    client, stub = stubbed("apigatewaymanagementapi")
    stub.add_client_error("post_to_connection", code, http_status_code=status)
    with pytest.raises(MangaAssistError) as failed:
        await WebSocketChannel(client, "c").post(b"{}")
    assert type(failed.value) is kind
