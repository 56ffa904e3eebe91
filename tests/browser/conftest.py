"""The page in a real browser, with the test in the server's chair."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, expect

from tests.browser import chromium
from tests.browser.chat_server import PATIENCE_SECONDS, Answer, ChatServer, Connection

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "test-results" / "browser"
expect.set_options(timeout=1_000 * PATIENCE_SECONDS)
DESKTOP = {"width": 1180, "height": 900}
# Chromium reports refused handshakes and dropped sockets itself; the page has no way to silence it.
NETWORK_NOISE = ("WebSocket connection to", "Failed to load resource")


class Visit:
    """One shopper on the page."""

    def __init__(self, page: Page, server: ChatServer) -> None:
        self.page = page
        self.server = server
        self.chat = page.locator("manga-assist")
        self.input = page.get_by_role("textbox")
        self.turns = page.locator(".turn")
        self.answer = page.locator(".answer-text").last
        self.live = page.locator("[aria-live]")

    def connected(self) -> Connection:
        """The server's end of the page's connection, once the page shows it."""
        connection = self.server.next_connection()
        self.page.locator("manga-assist[data-state=online]").wait_for()
        return connection

    def ask(self, connection: Connection, text: str, **answer: str) -> Answer:
        """Type a question, send it, and begin to answer it."""
        self.input.fill(text)
        self.input.press("Enter")
        question = connection.next_message()
        assert question.text == text
        return Answer(question, **answer)

    def cards(self) -> Locator:
        return self.page.locator(".card")

    def screenshot(self, name: str) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    try:
        with chromium.browser() as running:
            yield running
    except chromium.NoChromium as problem:
        pytest.fail(str(problem), pytrace=False)


@pytest.fixture(scope="session")
def running_server() -> Iterator[ChatServer]:
    server = ChatServer()
    server.start()
    yield server
    server.close()


@pytest.fixture
def server(running_server: ChatServer) -> ChatServer:
    running_server.reset()
    return running_server


Visitor = Callable[..., Visit]


@pytest.fixture
def visitor(browser: Browser, server: ChatServer) -> Iterator[Visitor]:
    """Opens the page as often as a test wants; every visit must end without script errors or foreign requests."""
    with _visits(browser, server) as visit:
        yield visit


@pytest.fixture
def visit(visitor: Visitor) -> Visit:
    """An English shopper on a desktop screen, on the page."""
    return visitor()


@contextmanager
def _visits(browser: Browser, server: ChatServer) -> Iterator[Visitor]:
    contexts = []
    complaints: list[str] = []

    def heard(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(NETWORK_NOISE):
            complaints.append(message.text)

    def requested(request: Request) -> None:
        if not request.url.startswith((server.url, "data:")):
            complaints.append(f"The page asked a stranger: {request.url}")

    def visit(
        path: str = "", *, init_script: str | None = None, tolerate_errors: bool = False, **options: Any
    ) -> Visit:
        context = browser.new_context(**{"viewport": DESKTOP, "locale": "en-US", **options})
        context.set_default_timeout(1_000 * PATIENCE_SECONDS)
        contexts.append(context)
        page = context.new_page()
        if not tolerate_errors:
            page.on("console", heard)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", requested)
        if init_script:
            page.add_init_script(init_script)
        page.goto(server.url + path)
        page.locator("manga-assist[ready]").wait_for()
        return Visit(page, server)

    try:
        yield visit
    finally:
        for context in contexts:
            context.close()
    assert not complaints
