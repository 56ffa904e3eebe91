"""For everyone: keyboard, input methods, screen readers, languages, colours, small screens."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from mangaassist.protocol import MAX_MESSAGE_CHARACTERS, ErrorCode
from tests.browser.chat_server import WEB, Answer
from tests.browser.conftest import ROOT, Visit, Visitor
from tests.browser.samples import HORROR, horror_answer

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
AXE_RUN = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


def violations(page: Page) -> list[str]:
    """What axe finds wrong, as one line each."""
    if not AXE.exists():
        pytest.fail(f"{AXE.relative_to(ROOT)} is missing; run: make setup", pytrace=False)
    page.evaluate(AXE.read_text("utf-8") + ";undefined")
    report: dict[str, Any] = page.evaluate("options => axe.run(document, options)", AXE_RUN)
    return [
        f"{found['impact']} {found['id']}: {node['target']} {node['failureSummary']}"
        for found in report["violations"]
        for node in found["nodes"]
    ]


@pytest.mark.parametrize(("color_scheme", "locale"), [("light", "en-US"), ("dark", "ja-JP")])
def test_axe_finds_nothing(visitor: Visitor, color_scheme: str, locale: str) -> None:
    visit = visitor(color_scheme=color_scheme, locale=locale, reduced_motion="reduce")
    connection = visit.connected()
    assert violations(visit.page) == []
    answer = visit.ask(connection, "Horror?")
    assert violations(visit.page) == []
    frames = horror_answer(answer, answered_by="stand-in:twin-composer-1")
    connection.send(*frames[:-1])
    connection.send(frames[-1])
    visit.page.locator(".how summary").click()
    failing = visit.ask(connection, "x" * (MAX_MESSAGE_CHARACTERS - 1), response_id="response-2")
    connection.send(failing.start(), failing.error(ErrorCode.INTERNAL, "broke", retryable=True))
    expect(visit.page.locator(".error")).to_be_visible()
    visit.input.fill("x" * (MAX_MESSAGE_CHARACTERS + 1))
    assert violations(visit.page) == []


def test_the_keyboard_is_enough(visit: Visit) -> None:
    connection = visit.connected()
    page = visit.page
    expect(visit.input).to_be_focused()
    page.keyboard.type("Two")
    page.keyboard.press("Shift+Enter")
    page.keyboard.type("lines")
    page.keyboard.press("Enter")
    question = connection.next_message()
    assert question.text == "Two\nlines"
    expect(visit.input).to_be_focused()
    expect(visit.input).to_have_value("")

    connection.send(*horror_answer(Answer(question)))
    expect(visit.cards()).to_have_count(3)
    expect(visit.input).to_be_focused()
    reached = []
    while (name := _focused(page, "Shift+Tab")) != "日本語":
        reached.append(name)
    assert reached == [
        "Latest", "How this answer came about", "Browse the horror shelf", "Only finished series", "More like this",
        "PTSD Radio", "The Drifting Classroom", "Uzumaki", "Source 3: PTSD Radio", "Source 2: The Drifting Classroom",
        "Source 1: Uzumaki", "Conversation", "New conversation",
    ]  # fmt: skip
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="日本語")).to_be_focused()
    expect(page.get_by_role("heading", level=1)).to_have_text("マンガアシスト")
    page.locator(".how summary").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".how dl")).to_be_visible()
    page.locator(".actions button").first.focus()
    page.keyboard.press("Space")
    assert connection.next_message().text == "More horror like these, please"
    expect(visit.input).to_be_focused()


def _focused(page: Page, key: str) -> str:
    """Press a key and name what has the focus; it must be seen to have it."""
    page.keyboard.press(key)
    name, ring = page.evaluate(
        """() => {
          const element = document.querySelector("manga-assist").shadowRoot.activeElement;
          const ringed = [element, element.closest(".card, .composer-field")].filter(Boolean).map(getComputedStyle);
          return [
            element.getAttribute("aria-label") ?? element.textContent,
            ringed.some(({ outlineStyle, outlineWidth }) => outlineStyle === "solid" && parseFloat(outlineWidth) >= 2),
          ];
        }"""
    )
    assert ring, f"{name} shows no focus"
    return name


def test_enter_in_an_input_method_only_confirms(visit: Visit) -> None:
    connection = visit.connected()
    devtools = visit.page.context.new_cdp_session(visit.page)
    devtools.send("Input.imeSetComposition", {"text": "まんが", "selectionStart": 3, "selectionEnd": 3})
    expect(visit.input).to_have_value("まんが")
    enter = {"key": "Enter", "code": "Enter"}
    devtools.send("Input.dispatchKeyEvent", {"type": "rawKeyDown", "windowsVirtualKeyCode": 229, **enter})
    devtools.send("Input.insertText", {"text": "漫画"})
    devtools.send("Input.dispatchKeyEvent", {"type": "keyUp", "windowsVirtualKeyCode": 13, **enter})
    expect(visit.input).to_have_value("漫画")
    expect(visit.turns).to_have_count(0)
    assert connection.silent
    # Other browsers end the composition after the key, and tell by `isComposing` alone.
    visit.input.evaluate(
        """input => input.dispatchEvent(
          new KeyboardEvent("keydown", { key: "Enter", isComposing: true, bubbles: true, cancelable: true }))"""
    )
    expect(visit.turns).to_have_count(0)
    visit.page.keyboard.press("Enter")
    assert connection.next_message().text == "漫画"


def test_screen_readers_hear_whole_sentences_and_not_every_word(visit: Visit) -> None:
    connection = visit.connected()
    answer = visit.ask(connection, "Horror?")
    expect(visit.live).to_contain_text("Question sent.")
    connection.send(
        answer.start(), answer.delta("Uzumaki [1] is the one to begin with, without any doubt at ")
    )
    expect(visit.answer).to_contain_text("doubt at ")
    expect(visit.live).not_to_contain_text("Uzumaki")
    connection.send(answer.delta("all. And th"))
    expect(visit.live.locator("p").last).to_have_text(
        "Uzumaki is the one to begin with, without any doubt at all."
    )
    connection.send(answer.delta("en **Tomie**."), answer.final(cards=HORROR["cards"]))
    expect(visit.live.locator("p")).to_contain_text(
        ["Question sent.", "doubt at all.", "And then Tomie.", "3 products shown."]
    )
    assert visit.page.locator(".log [aria-live]").count() == 0


def test_long_questions_are_counted_and_not_sent(visit: Visit) -> None:
    connection = visit.connected()
    counter = visit.page.locator(".counter")
    expect(counter).to_be_hidden()
    visit.input.fill("𠮷" * MAX_MESSAGE_CHARACTERS)
    expect(counter).to_have_text("2,000 of 2,000 characters")
    visit.input.fill("𠮷" * (MAX_MESSAGE_CHARACTERS + 34))
    expect(counter).to_have_text("34 characters too many. The limit is 2,000.")
    expect(visit.input).to_have_attribute("aria-invalid", "true")
    visit.input.press("Enter")
    expect(visit.turns).to_have_count(0)
    visit.ask(connection, "𠮷" * MAX_MESSAGE_CHARACTERS)


def test_one_question_at_a_time(visit: Visit) -> None:
    connection = visit.connected()
    answer = visit.ask(connection, "First?")
    visit.input.fill("Second?")
    visit.input.press("Enter")
    expect(visit.page.get_by_role("status")).to_have_text("One moment: the answer is still being written.")
    expect(visit.input).to_have_value("Second?")
    connection.send(answer.start(), answer.delta("Yes."), answer.final())
    expect(visit.turns.last).to_have_attribute("data-phase", "done")
    visit.input.press("Enter")
    assert connection.next_message().text == "Second?"


def test_the_page_speaks_japanese(visitor: Visitor) -> None:
    visit = visitor(locale="ja-JP", reduced_motion="reduce")
    connection = visit.connected()
    expect(visit.page).to_have_title("マンガアシスト")
    expect(visit.page.locator("html")).to_have_attribute("lang", "ja")
    visit.page.get_by_role("button", name="伊藤潤二みたいなホラー漫画のおすすめは？").click()
    question = connection.next_message()
    assert question.context_hints.locale == "ja"

    answer = Answer(question)
    connection.send(
        answer.start(),
        answer.delta("『うずまき』[1]をおすすめします。"),
        answer.final(cards=HORROR["cards"], citations=HORROR["citations"], metadata={"language": "ja"}),
    )
    expect(visit.answer).to_have_attribute("lang", "ja")
    expect(visit.cards().first.locator(".card-title")).to_have_text("うずまき")
    expect(visit.cards().first.locator(".card-other-title")).to_have_text("Uzumaki")
    expect(visit.cards().last.locator(".card-title")).to_have_text("PTSD Radio")
    expect(visit.cards().first).to_contain_text("第1巻")
    expect(visit.cards().first).to_contain_text("在庫あり")
    visit.screenshot("japanese")


def test_language_comes_from_the_address_the_choice_and_the_browser(visitor: Visitor) -> None:
    visit = visitor("?lang=ja")
    title = visit.page.get_by_role("heading", level=1)
    expect(title).to_have_text("マンガアシスト")
    visit.input.fill("書きかけ")
    visit.page.get_by_role("button", name="English").click()
    expect(title).to_have_text("MangaAssist")
    expect(visit.input).to_have_value("書きかけ")
    visit.page.goto(visit.server.url)
    expect(title).to_have_text("MangaAssist")
    visit.page.get_by_role("button", name="日本語").click()
    visit.page.reload()
    expect(title).to_have_text("マンガアシスト")


def test_both_languages_have_the_same_texts(visit: Visit) -> None:
    texts: dict[str, dict[str, str]] = visit.page.evaluate(
        "import('./messages.js').then(module => module.MESSAGES)"
    )
    assert texts["en"].keys() == texts["ja"].keys()
    for key, english in texts["en"].items():
        places = re.compile(r"\{\w+\}")
        assert sorted(places.findall(english)) == sorted(places.findall(texts["ja"][key])), key


def test_every_error_code_has_a_text(visit: Visit) -> None:
    keys: list[str] = visit.page.evaluate(
        "import('./messages.js').then(module => Object.keys(module.MESSAGES.en))"
    )
    assert {f"error.{code}" for code in ErrorCode} <= set(keys)


def test_dark_mode_follows_the_system(visitor: Visitor) -> None:
    paper = "element => getComputedStyle(element).backgroundColor"
    shades = {
        scheme: visitor(color_scheme=scheme).page.locator(".sheet").evaluate(paper)
        for scheme in ("light", "dark")
    }
    brightness = {scheme: sum(map(int, re.findall(r"\d+", shade)[:3])) for scheme, shade in shades.items()}
    assert brightness["light"] > 700
    assert brightness["dark"] < 120


def test_nothing_moves_for_those_who_asked_for_calm(visitor: Visitor) -> None:
    visit = visitor(reduced_motion="reduce")
    connection = visit.connected()
    visit.ask(connection, "Horror?")
    assert visit.page.evaluate("document.getAnimations().length") == 0


@pytest.mark.parametrize("width", [320, 390, 768, 1440])
def test_every_width_fits(visitor: Visitor, width: int) -> None:
    visit = visitor(viewport={"width": width, "height": 720}, reduced_motion="reduce")
    connection = visit.connected()
    _assert_fits(visit)
    answer = visit.ask(connection, "https://store.example/" + "a" * 200)
    frames = horror_answer(answer)
    connection.send(*frames)
    visit.page.locator(".how summary").click()
    _assert_fits(visit)
    visit.screenshot(f"width-{width}")


def _assert_fits(visit: Visit) -> None:
    spilling = visit.page.evaluate(
        """() => {
          const { shadowRoot } = document.querySelector("manga-assist");
          const log = shadowRoot.querySelector(".log");
          return [document.documentElement.scrollWidth - innerWidth, log.scrollWidth - log.clientWidth];
        }"""
    )
    assert max(spilling) <= 0


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_a_picture_of_the_page(visitor: Visitor, color_scheme: str) -> None:
    visit = visitor(
        color_scheme=color_scheme, reduced_motion="reduce", viewport={"width": 1180, "height": 1040}
    )
    connection = visit.connected()
    visit.screenshot(f"welcome-{color_scheme}")
    answer = visit.ask(connection, "Recommend horror manga like Junji Ito")
    connection.send(*horror_answer(answer, answered_by="stand-in:twin-composer-1"))
    expect(visit.cards()).to_have_count(3)
    visit.screenshot(f"chat-page-{color_scheme}")


def test_every_module_is_preloaded(visit: Visit) -> None:
    preloaded = visit.page.locator("link[rel=modulepreload]").evaluate_all(
        "links => links.map(link => link.getAttribute('href'))"
    )
    assert sorted(preloaded) == sorted({path.name for path in WEB.glob("*.js")} - {"page.js"})
