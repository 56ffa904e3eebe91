"""What the stacks put out, and the addresses that follow from it on this machine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

from tools.twin.addresses import local_address
from tools.twin.layout import Layout

PREFIX = re.compile(r"^MangaAssist-[a-z]+-")
"""A twin holds one environment at a time, so that the concern alone says which stack is meant."""


def read(path: Path) -> dict[str, dict[str, str]]:
    """Outputs by concern; empty before the first deployment."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {PREFIX.sub("", name): outputs for name, outputs in document.items()}


@dataclass(frozen=True)
class Urls:
    """Addresses that work from this machine; the last two are empty before the first deployment."""

    page: str
    """The page, and the HTTP API under ``/v1`` at the same origin, as CloudFront offers both."""
    emulator: str
    models: str
    search: str
    websocket: str = ""
    management: str = ""
    """Where functions post to connections."""

    @property
    def api(self) -> str:
        """Base of the HTTP API's paths."""
        return self.page


def urls(layout: Layout) -> Urls:
    """The twin's addresses, with those of the deployed APIs when there are some."""
    websocket = read(layout.outputs).get("Chat", {}).get("WebSocketUrl", "")
    websocket = local_address(websocket, layout.ports["emulator"])
    return Urls(
        page=layout.url("edge"),
        emulator=layout.url("emulator"),
        models=layout.url("models"),
        search=layout.url("search"),
        websocket=websocket,
        management=websocket.replace("ws://", "http://", 1),
    )
