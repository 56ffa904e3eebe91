"""``mangactl chat``: talk to the assistant from a terminal."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Protocol, TypeVar

import typer
from rich.console import Console, RenderableType

from mangaassist.protocol import CorrectionFrame, DeltaFrame, Locale, Money, ProductCard, StartFrame
from tools.chat_client import Answer, AnyFrame, BrokenResponse, ChatClient
from tools.mangactl.environments import LOCAL, Environment
from tools.mangactl.failures import BadArgument, CommandFailure
from tools.mangactl.options import EnvironmentOption, JsonOption
from tools.mangactl.output import console, progress, table

Result = TypeVar("Result")


class Screen(Protocol):
    """Where a response is shown, frame by frame."""

    def frame(self, frame: AnyFrame) -> None: ...

    def end(self, answer: Answer) -> None: ...


def chat(
    question: Annotated[
        str | None, typer.Argument(help="Ask this and leave; else ask line by line.", show_default=False)
    ] = None,
    locale: Annotated[
        Locale | None, typer.Option(help="Else the language of the question.", show_default=False)
    ] = None,
    environment: EnvironmentOption = LOCAL,
    as_json: JsonOption = False,
) -> None:
    """Ask the assistant and watch the answer stream in. With --json, prints each frame as a line of JSON."""
    if question is not None and not question.strip():
        raise BadArgument("the question is empty: ask something, or leave it out to ask line by line")
    addresses = Environment.named(environment).chat_addresses()
    screen = JsonScreen() if as_json else TerminalScreen(console())
    with background_loop() as run:
        conversation = Conversation(addresses, locale, screen)
        try:
            if question is None:
                for line in _lines(sys.stdin.isatty() and not as_json):
                    run(conversation.ask(line))
            elif error := run(conversation.ask(question)).error:
                raise CommandFailure(f"{error.code}: {error.message}")
        finally:
            run(conversation.close())


class Conversation:
    """A session over as many connections as it takes: a lost one is replaced before the next question."""

    def __init__(self, addresses: tuple[str, str], locale: Locale | None, screen: Screen) -> None:
        self._addresses = addresses
        self._locale: Locale | None = locale
        self._screen = screen
        self._client: ChatClient | None = None
        self._session_id: str | None = None
        self._token: str | None = None

    async def ask(self, question: str) -> Answer:
        """Ask, show, and return what the response adds up to."""
        client = await self._connected()
        answer = Answer()
        try:
            async for frame in client.ask(question, self._locale):
                answer.add(frame)
                self._screen.frame(frame)
        except BrokenResponse:
            await self.close()
            raise
        self._screen.end(answer)
        return answer

    async def close(self) -> None:
        """Leave; the session can be taken up again."""
        if self._client is not None:
            self._session_id, self._token = self._client.session_id, self._client.token
            await self._client.close()
            self._client = None

    async def _connected(self) -> ChatClient:
        if self._client is not None and self._client.is_open:
            return self._client
        await self.close()
        self._client = await ChatClient.connect(
            *self._addresses, session_id=self._session_id, token=self._token
        )
        return self._client


class JsonScreen:
    """Each frame as a line of JSON."""

    def frame(self, frame: AnyFrame) -> None:
        """Print it as it came."""
        print(frame.model_dump_json(exclude_none=True), flush=True)

    def end(self, answer: Answer) -> None:
        """Nothing to add: the frames say it all."""


class TerminalScreen:
    """Text as it streams, then cards, citations and timings."""

    def __init__(self, terminal: Console) -> None:
        self._console = terminal

    def frame(self, frame: AnyFrame) -> None:
        """Show what can be shown at once."""
        match frame:
            case StartFrame(session_resumed=True):
                progress("the session goes on")
            case DeltaFrame():
                self._console.print(frame.text, end="", soft_wrap=True)
            case CorrectionFrame():
                stages = ", ".join(reason.stage for reason in frame.reasons)
                self._console.print(f"\n\ncorrected ({stages}):\n{frame.text}", end="", soft_wrap=True)
            case _:
                pass

    def end(self, answer: Answer) -> None:
        """Show the rest."""
        self._console.print()
        if answer.error is not None:
            self._console.print(f"{answer.error.code}: {answer.error.message}", style="red")
        if answer.final is None:
            return
        if answer.final.cards:
            self._console.print()
            self._console.print(card_table(answer.final.cards))
        for citation in answer.final.citations:
            self._console.print(f"[{citation.index}] {citation.title}  {citation.url}", style="dim")
        self._console.print()
        for line in summary(answer):
            self._console.print(line, style="dim")


def card_table(cards: list[ProductCard]) -> RenderableType:
    """Product cards as a table."""
    listed = table("ASIN", "title", "creators", "price", "list", "stock", "rating", "suggested")
    for card in cards:
        title = f"{card.title} ({card.title_ja})" if card.title_ja else card.title
        rating = f"{card.rating.average:.1f} ({card.rating.count})" if card.rating else ""
        stock = {True: "in stock", False: "sold out", None: "unknown"}[card.in_stock]
        before = price(card.list_price) if card.list_price else ""
        why = {"similar": "similar", "for_you": "for you", "popular": "popular", None: ""}[card.recommended]
        listed.add_row(
            card.asin, title, ", ".join(card.creators), price(card.price), before, stock, rating, why
        )
    return listed


def price(money: Money | None) -> str:
    """An amount as people write it."""
    if money is None:
        return "unknown"
    return f"¥{money.amount}" if money.currency == "JPY" else f"${money.amount}"


def summary(answer: Answer) -> list[str]:
    """How the answer came about and how long it took."""
    if answer.final is None:
        return []
    told = answer.final.metadata
    stages = ", ".join(f"{stage} {elapsed}" for stage, elapsed in told.timings_ms.items())
    lines = [
        f"first token {answer.first_token_ms} ms, total {answer.total_ms} ms (seen here); stages in ms: {stages}",
        f"intent {told.intent} ({told.intent_source}), tier {told.model_tier or 'none'}, "
        f"policy {told.policy_version or 'none'}, guardrail {told.guardrail_action}, "
        f"retrieval {told.retrieval_mode}, request {told.request_id}",
    ]
    if told.degraded:
        lines.append(f"degraded: {', '.join(told.degraded)}")
    if (told.answered_by or "").startswith("stand-in:"):
        lines.append(f"answered by {told.answered_by}, a stand-in: no language model was asked")
    return lines


def _lines(is_person: bool) -> Iterator[str]:
    """Questions from stdin until its end."""
    while True:
        try:
            line = input("\n> " if is_person else "").strip()
        except EOFError:
            return
        if line:
            yield line


class Runner(Protocol):
    """Runs a coroutine to its end."""

    def __call__(self, coroutine: Coroutine[Any, Any, Result], /) -> Result: ...


@contextmanager
def background_loop() -> Iterator[Runner]:
    """An event loop in a thread: the connection stays alive while ``input`` waits for a person."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="chat", daemon=True)
    thread.start()

    def run(coroutine: Coroutine[Any, Any, Result], /) -> Result:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result()

    try:
        yield run
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
