"""`make demo`: deploy the twin, ask one question over a real WebSocket, show the answer as it streams, and stop."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time

from rich.console import Console
from rich.table import Table

from mangaassist.protocol import CorrectionFrame, DeltaFrame, ErrorFrame, FinalFrame, ProductCard
from tools.chat_client import ChatClient, ChatError
from tools.twin.layout import LOCAL
from tools.twin.supervisor import Twin, TwinError

QUESTION = "Recommend horror manga like Junji Ito"
STAND_IN = "stand-in:"
STOCK = {True: "in stock", False: "sold out", None: "unknown"}

console = Console(highlight=False, soft_wrap=True)


def main() -> int:
    """0 when a whole answer with product cards was shown."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--question", default=QUESTION)
    question = parser.parse_args().question.strip() or QUESTION
    began = time.monotonic()
    twin = Twin.from_environment(held=LOCAL)
    was_running = twin.is_running()
    try:
        twin.up(on_progress=lambda line: console.print(f"  {line}", markup=False))
        console.print(f"  ready in {time.monotonic() - began:.1f} s\n", style="dim")
        urls = twin.urls()
        return asyncio.run(show(question, urls.websocket, urls.api))
    except (TwinError, ChatError) as error:
        console.print(f"demo: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("\ndemo: stopped", style="red")
        return 130
    finally:
        if was_running:
            console.print(
                "\n  the twin was running before and still is; stop it with: make down", style="dim"
            )
        else:
            twin.down(on_progress=lambda line: None)


async def show(question: str, websocket_url: str, api_base: str) -> int:
    """Ask, and print what comes as it comes."""
    async with await ChatClient.connect(websocket_url, api_base) as client:
        console.print("shopper    ", style="bold cyan", end="")
        console.print(question, markup=False)
        console.print("assistant  ", style="bold magenta", end="")
        asked = time.monotonic()
        first_token: float | None = None
        async for frame in client.ask(question):
            match frame:
                case DeltaFrame():
                    first_token = first_token or time.monotonic() - asked
                    sys.stdout.write(frame.text)
                    sys.stdout.flush()
                case CorrectionFrame():
                    console.print(
                        f"\n[corrected: {', '.join(each.stage for each in frame.reasons)}]", markup=False
                    )
                    console.print(frame.text, markup=False)
                case FinalFrame():
                    total = time.monotonic() - asked
                    console.print()
                    console.print(cards_table(frame.cards))
                    console.print(timing_line(frame, first_token or total, total), style="dim", markup=False)
                    metadata = frame.metadata
                    console.print(
                        f"answered   intent {metadata.intent} ({metadata.intent_source}), tier {metadata.model_tier},"
                        f" model {metadata.model_id}, guardrail {metadata.guardrail_action},"
                        f" retrieval {metadata.retrieval_mode},"
                        f" suggestions {metadata.recommended_by or 'none'}",
                        style="dim",
                        markup=False,
                    )
                    if (metadata.answered_by or "").startswith(STAND_IN):
                        console.print(
                            f"stand-in   no language model is attached: {metadata.answered_by} composed this from"
                            " the retrieved facts. For a real one set TWIN_LLM_URL and TWIN_LLM_MODEL.",
                            style="yellow",
                            markup=False,
                        )
                    return 0
                case ErrorFrame():
                    console.print()
                    raise ChatError(f"the assistant answered with an error: {frame.message} ({frame.code})")
                case _:
                    pass
    raise ChatError("the connection closed before the answer was whole; read .twin/logs and try again")


def cards_table(cards: list[ProductCard]) -> Table:
    """The product cards of an answer."""
    table = Table(title="product cards", title_justify="left", title_style="bold", box=None, pad_edge=False)
    for heading in ("ASIN", "title", "creators", "price", "list", "stock", "rating"):
        table.add_column(heading, justify="right" if heading in ("price", "list", "rating") else "left")
    for card in cards:
        table.add_row(
            card.asin,
            card.title + (f" / {card.title_ja}" if card.title_ja else ""),
            ", ".join(card.creators),
            f"{card.price.amount} {card.price.currency}" if card.price else "unknown",
            card.list_price.amount if card.list_price else "",
            STOCK[card.in_stock],
            f"{card.rating.average:.1f} ({card.rating.count})" if card.rating else "",
        )
    return table


def timing_line(frame: FinalFrame, first_token: float, total: float) -> str:
    """Client-side times, then each stage as the server measured it."""
    stages = " ".join(f"{name} {ms}" for name, ms in frame.metadata.timings_ms.items() if name != "total")
    return f"timing     first token {first_token * 1000:.0f} ms, total {total * 1000:.0f} ms; stages (ms): {stages}"


if __name__ == "__main__":
    raise SystemExit(main())
