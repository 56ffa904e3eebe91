"""What the stacks put out, and the addresses that follow from it on this machine."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tools.twin.addresses import PLAIN, local_address
from tools.twin.layout import HOST, Layout

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
    """Where shoppers connect: through the edge, where the deployed stacks have one in front of the WebSocket."""
    management: str = ""
    """Where functions post to connections."""

    @property
    def api(self) -> str:
        """Base of the HTTP API's paths."""
        return self.page


def at_edge(text: str, outputs: Path, edge: str) -> str:
    """``text`` with the deployed distribution's host replaced by the host and port ``edge``, over plain protocols."""
    host = urlsplit(read(outputs).get("Web", {}).get("PageUrl", "")).hostname
    if host is None:
        return text
    for scheme, plain in PLAIN.items():
        text = text.replace(f"{scheme}://{host}", f"{plain}://{edge}")
    return text


def urls(layout: Layout) -> Urls:
    """The twin's addresses, with those of the deployed APIs when there are some."""
    outputs, emulator = read(layout.outputs), layout.ports["emulator"]
    direct = local_address(outputs.get("Chat", {}).get("WebSocketUrl", ""), emulator)
    chat = outputs.get("Web", {}).get("ChatUrl", "")
    chat = local_address(at_edge(chat, layout.outputs, f"{HOST}:{layout.ports['edge']}"), emulator)
    return Urls(
        page=layout.url("edge"),
        emulator=layout.url("emulator"),
        models=layout.url("models"),
        search=layout.url("search"),
        websocket=chat or direct,
        management=direct.replace("ws://", "http://", 1),
    )
