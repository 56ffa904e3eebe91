"""The page in a real browser against the twin: what a shopper sees after `make up`."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.browser import chromium
from tools.twin.supervisor import Twin

SCREENSHOTS = Path(__file__).resolve().parents[2] / "test-results" / "e2e"
ANSWERED_MS = 30_000


@pytest.mark.req("STR-1", "STR-2")
@pytest.mark.parametrize(
    ("locale", "question", "creator"),
    [
        ("en", "Recommend horror manga like Junji Ito", "Junji Ito"),
        ("ja", "伊藤潤二みたいなホラー漫画のおすすめは？", "伊藤潤二"),
    ],
)
async def test_a_shopper_asks_on_the_page(twin: Twin, locale: str, question: str, creator: str) -> None:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium.provide(), args=chromium.arguments()
        )
        try:
            page = await browser.new_page(locale=locale, viewport={"width": 1180, "height": 900})
            complaints = listen(page)
            await page.goto(twin.urls().page)
            await page.locator("manga-assist[data-state=online]").wait_for()
            await page.get_by_role("textbox").fill(question)
            await page.get_by_role("textbox").press("Enter")
            cards = page.locator(".card")
            await expect(cards).to_have_count(3, timeout=ANSWERED_MS)
            await expect(cards.first).to_contain_text("Junji Ito")
            await expect(page.locator(".answer-text").last).to_contain_text(creator)
            SCREENSHOTS.mkdir(parents=True, exist_ok=True)
            await page.screenshot(path=SCREENSHOTS / f"page-{locale}.png")
        finally:
            await browser.close()
    assert complaints == []


def listen(page: Page) -> list[str]:
    """What the page complains about from now on: errors on its console and exceptions nobody caught."""
    heard: list[str] = []
    page.on("console", lambda message: heard.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: heard.append(str(error)))
    return heard


async def test_the_page_comes_with_the_headers_that_protect_it(twin: Twin) -> None:
    async with httpx.AsyncClient() as client:
        response = await client.get(twin.urls().page)
    assert "default-src 'none'" in response.headers["content-security-policy"]
