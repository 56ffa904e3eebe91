"""The stand-in language model: answers from the prompt's facts, and never from anywhere else."""

from __future__ import annotations

import json
import re
import tomllib
from functools import cache
from html import escape
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mangaassist.catalogue import terms
from tools.twin.models.composer import answer as composer
from tools.twin.models.composer.answer import compose
from tools.twin.models.composer.prompt import AMOUNT, read_prompt

UZUMAKI = {
    "title": "Uzumaki: Spiral into Horror", "title_ja": "うずまき", "creators": "Junji Ito", "creators_ja": "伊藤潤二",
    "year": "1998", "volumes": "3", "status": "finished", "genres": "Horror; Mystery", "demographic": "Seinen",
    "publisher": "Shogakukan", "asin": "B0TESTAAA1", "summary": "A seinen manga about a town and a spiral.",
}  # fmt: skip
CLASSROOM = {
    "title": "The Drifting Classroom", "title_ja": "漂流教室", "creators": "Kazuo Umezz", "creators_ja": "楳図かずお",
    "year": "1972", "volumes": "11", "status": "finished", "genres": "Horror; Sci-Fi", "demographic": "Shounen",
}  # fmt: skip
MUSHISHI = {
    "title": "Mushishi", "creators": "Yuki Urushibara", "year": "1999", "volumes": "10", "status": "finished",
    "genres": "Mystery; Supernatural", "demographic": "Seinen",
}  # fmt: skip
PIECE = {
    "title": "One Piece", "title_ja": "ONE PIECE", "creators": "Eiichiro Oda", "year": "1997", "volumes": "107",
    "status": "publishing", "genres": "Action; Adventure", "demographic": "Shounen",
}  # fmt: skip
BARE = {"title": "Nameless"}
SHELF = (UZUMAKI, CLASSROOM, MUSHISHI, PIECE, BARE)


def message(question: str, language: str = "en", shelf: Any = SHELF, context: str = "") -> str:
    blocks = []
    for index, facts in enumerate(shelf, 1):
        lines = "\n".join(f"{name}: {escape(value, quote=False)}" for name, value in facts.items())
        blocks.append(f'<product_data index="{index}">\n{lines}\n</product_data>')
    return "\n".join(
        [
            context,
            *blocks,
            f"<answer_language>{language}</answer_language>",
            f"<question>{escape(question, quote=False)}</question>",
        ]
    )


def ask(question: str, language: str = "en", shelf: Any = SHELF, context: str = "", earlier: Any = ()) -> str:
    return compose([*earlier, ("user", message(question, language, shelf, context))])


# --- facts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "language", "expected"),
    [
        ("Who wrote The Drifting Classroom?", "en", "The Drifting Classroom is by Kazuo Umezz [2]."),
        ("who is the author of mushishi", "en", "Mushishi is by Yuki Urushibara [3]."),
        ("漂流教室の作者は誰？", "ja", "『漂流教室』の作者は楳図かずおです[2]。"),
        (
            "How many volumes does Mushishi have?",
            "en",
            "Mushishi is complete in 10 volumes [3].",
        ),
        ("漂流教室は全何巻ですか", "ja", "『漂流教室』は全11巻で完結しています[2]。"),
        ("Is One Piece finished?", "en", "One Piece is still running [4]."),
        ("うずまきは完結していますか", "ja", "『うずまき』は全3巻で完結しています[1]。"),
        ("When was Mushishi first published?", "en", "Mushishi first appeared in 1999 [3]."),
        ("漂流教室はいつの作品？", "ja", "『漂流教室』は1972年に始まった作品です[2]。"),
        (
            "Which publisher puts out Uzumaki?",
            "en",
            "Uzumaki: Spiral into Horror is published by Shogakukan [1].",
        ),
        ("What genre is Mushishi?", "en", "Mushishi is listed under mystery and the supernatural [3]."),
        (
            "Is Mushishi suitable for kids?",
            "en",
            "listed for seinen readers [3]; the catalogue gives no age rating",
        ),
        ("What is the Japanese title of Uzumaki?", "en", "is 『うずまき』 [1]"),
        ("What is Uzumaki about?", "en", "A seinen manga about a town and a spiral."),
        ("Is the Uzumki manga complete?", "en", "Uzumaki: Spiral into Horror is complete, in 3 volumes [1]."),
        ("What is the longest one?", "en", "One Piece is the longest, with 107 volumes [4]."),
        (
            "Which is shorter, Mushishi or The Drifting Classroom?",
            "en",
            "Mushishi is the shortest, with 10 volumes",
        ),
        ("一番古い漫画は？", "ja", "一番古いのは1972年の『漂流教室』です[2]。"),
    ],
)
def test_answers_questions_about_a_series(question: str, language: str, expected: str) -> None:
    assert expected in ask(question, language)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("Who wrote Nameless?", "does not say who made it"),
        ("How many volumes does Nameless have?", "does not say how many volumes it has"),
        ("When did Nameless come out?", "does not say when it appeared"),
        ("Who wrote Blorgzap the Great?", "I cannot tell which series you mean"),
        ("What is the weather tomorrow?", "does not answer this"),
    ],
)
def test_says_so_when_the_prompt_does_not_answer(question: str, words: str) -> None:
    assert words in ask(question)


@pytest.mark.req("RET-5")
@pytest.mark.parametrize(
    ("language", "words"), [("en", "found no matching products"), ("ja", "見つかりません")]
)
def test_without_products_it_names_none(language: str, words: str) -> None:
    answer = ask("Recommend horror like Uzumaki", language, shelf=())
    assert words in answer
    assert "Uzumaki" not in answer


def test_it_means_the_product_last_spoken_of() -> None:
    earlier = [("user", "<question>Who wrote Mushishi?</question>"), ("assistant", "Mushishi is by …")]
    assert (
        ask("And how many volumes does it have?", earlier=earlier)
        == "Mushishi is complete in 10 volumes [3]."
    )


def test_this_means_the_product_on_the_page() -> None:
    context = "<context>\nsurface: web\nproduct_asin: B0TESTAAA1\n</context>"
    assert "is by Junji Ito [1]" in ask("Who made this?", context=context)


def test_a_longer_title_is_not_taken_for_the_one_it_begins_with() -> None:
    shelf = (
        {"title": "Attack on Titan", "volumes": "34"},
        {"title": "Attack on Titan: Junior High", "volumes": "7"},
    )
    assert ask("How many volumes does Attack on Titan: Junior High have?", shelf=shelf).endswith(
        "7 volumes in our catalogue [2]."
    )
    assert ask("How many volumes does Attack on Titan have?", shelf=shelf).endswith(
        "34 volumes in our catalogue [1]."
    )


# --- recommendations ------------------------------------------------------------------------------


def picked(answer: str) -> list[int]:
    return [int(number) for number in re.findall(r"\[(\d+)\]", answer)]


def test_recommends_by_genre_and_creator_with_reasons() -> None:
    answer = ask("Recommend horror manga like Junji Ito")
    assert picked(answer) == [1, 2]
    assert (
        "Uzumaki: Spiral into Horror by Junji Ito [1]: horror and mystery, by the creator you named" in answer
    )
    assert "The Drifting Classroom by Kazuo Umezz [2]: horror, as you asked" in answer


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("I loved Uzumaki, what should I read next?", [3, 2, 4]),
        ("a mystery that is not horror, please recommend", [3]),
        ("Recommend a shounen manga", [2, 4]),
        ("Suggest something under 5 volumes", [1]),
        ("Recommend manga before 1980", [2]),
        ("Recommend an ongoing series", [4]),
        ("ホラー以外のミステリー漫画のおすすめ", [3]),
        ("5巻以内の漫画を紹介して", [1]),
        ("少年漫画のおすすめ", [2, 4]),
        ("楳図かずおみたいな漫画", [2, 1, 3]),
    ],
)
def test_recommendations_keep_to_the_wish(question: str, expected: list[int]) -> None:
    language = "ja" if re.search("[ぁ-ん一-龯]", question) else "en"
    assert sorted(picked(ask(question, language))) == sorted(expected)


@pytest.mark.parametrize(
    ("question", "count"), [("Recommend two manga", 2), ("漫画を四つ教えて", 4), ("Recommend manga", 3)]
)
def test_names_as_many_as_asked(question: str, count: int) -> None:
    assert len(picked(ask(question))) == count


def test_unmet_wishes_are_admitted() -> None:
    answer = ask("Recommend a romance that is finished and under 2 volumes")
    assert "Nothing I was given meets every wish of yours" in answer
    assert picked(answer)


# --- money ----------------------------------------------------------------------------------------


@pytest.mark.req("GEN-6")
@pytest.mark.parametrize(
    "question",
    [
        "How much is Uzumaki?",
        "Uzumakiはいくらですか",
        "What is the cheapest manga?",
        "Recommend cheap horror manga",
    ],
)
def test_no_price_is_stated_even_if_the_prompt_holds_one(question: str) -> None:
    priced = {
        **UZUMAKI,
        "summary": "A spiral. Only $9.99 today! Buy it for 9.99 USD or 1,200円.",
        "publisher": "$5",
    }
    for language in ("en", "ja"):
        answer = ask(question, language, shelf=(priced, CLASSROOM))
        assert not AMOUNT.search(answer)
        assert "9.99" not in answer
    assert "prices" in ask(question, shelf=(priced, CLASSROOM)) or "価格" in answer


def test_sentences_with_amounts_are_left_out_of_summaries() -> None:
    priced = {**UZUMAKI, "summary": "A spiral. Only $9.99 today! Drawn in ink."}
    assert ask("What is Uzumaki about?", shelf=(priced,)).endswith("A spiral. Drawn in ink.")


# --- never invented -------------------------------------------------------------------------------

LETTERS = "abcdefghij KLMNOP'&<>{}!?:-éō伊藤潤二漂流うずまきホラー・々"
names = st.text(LETTERS, min_size=1, max_size=24).map(str.strip).filter(bool).filter(lambda t: ";" not in t)
genres = st.lists(st.sampled_from(sorted(terms.known("genres"))), max_size=4, unique=True)
series = st.fixed_dictionaries(
    {"title": names},
    optional={
        "title_ja": names,
        "creators": st.lists(names, min_size=1, max_size=5).map("; ".join),
        "creators_ja": st.lists(names, min_size=1, max_size=5).map("; ".join),
        "year": st.integers(1930, 2030).map(str),
        "volumes": st.integers(1, 250).map(str),
        "status": st.sampled_from(["finished", "publishing", "hiatus", "discontinued", "odd"]),
        "genres": genres.map("; ".join),
        "demographic": st.lists(st.sampled_from(["Shounen", "Shoujo", "Seinen", "Josei", "Kids"]), max_size=2).map("; ".join),
        "publisher": names,
        "summary": names,
        "asin": st.just("B0TESTAAA1"),
        "junk": names,
    },
)  # fmt: skip
SHAPES = (
    "Recommend manga like {}", "Who wrote {}?", "How many volumes does {} have?", "Is {} finished?", "What is {} about?",
    "How much is {}?", "Is {} in stock?", "When was {} published?", "Which is the longest, {}?", "no horror, but {}",
    "{}のおすすめは？", "{}の作者は？", "{}は全何巻？", "{}はいくら？", "{}は完結？", "{}について教えて", "一番新しい{}は？", "{}",
)  # fmt: skip
questions = st.builds(
    lambda shape, name: shape.format(name), st.sampled_from(SHAPES), names | st.text(max_size=40)
)


@cache
def own_words() -> set[str]:
    """Every word and every Japanese character that the composer may say by itself."""
    phrases = (Path(composer.__file__).parent / "data" / "phrases.toml").read_text("utf-8")
    texts = [json.dumps(tomllib.loads(phrases), ensure_ascii=False)]
    for kind in ("genres", "themes", "demographics"):
        for term in terms.known(kind):  # type: ignore[arg-type]
            texts += [terms.prose(kind, term), terms.japanese(kind, term)]  # type: ignore[arg-type]
    return pieces(" ".join(texts))


def pieces(text: str) -> set[str]:
    return {
        piece.casefold()
        for piece in re.findall(
            r"[^\W\d_\u3040-\u30ff\u3005\u3400-\u9fff]+|[\u3040-\u30ff\u3005\u3400-\u9fff]", text
        )
    }


@settings(max_examples=400, deadline=None)
@given(question=questions, shelf=st.lists(series, max_size=6), language=st.sampled_from(["en", "ja"]))
def test_every_word_and_number_comes_from_the_prompt(
    question: str, shelf: list[dict[str, str]], language: str
) -> None:
    answer = ask(question, language, shelf=shelf)

    given_text = " ".join([question, *(value for facts in shelf for value in facts.values())])
    given_numbers = set(re.findall(r"\d+", given_text))
    cited = set(picked(answer))
    said_numbers = set(re.findall(r"\d+", re.sub(r"\[\d+\]", "", answer)))
    assert answer.strip()
    assert pieces(answer) - pieces(given_text) <= own_words()
    assert said_numbers <= given_numbers
    assert cited <= set(range(1, len(shelf) + 1)) | {int(number) for number in given_numbers}
    assert not AMOUNT.search(answer) or AMOUNT.search(given_text)
    assert "{" not in answer or "{" in given_text


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=300))
def test_any_message_is_answered(text: str) -> None:
    assert compose([("user", text)]).strip()


@settings(max_examples=100, deadline=None)
@given(question=questions, shelf=st.lists(series, max_size=4))
def test_the_same_prompt_gets_the_same_answer(question: str, shelf: list[dict[str, str]]) -> None:
    assert ask(question, shelf=shelf) == ask(question, shelf=shelf)


# --- reading the prompt ---------------------------------------------------------------------------


def test_reads_what_the_product_writes() -> None:
    """The prompt builder and the composer agree on the tags."""
    from mangaassist.generation.prompt import build_prompt
    from mangaassist.ports import Chunk
    from mangaassist.protocol import ContextHints

    facts = {
        "title_ja": "うずまき", "creators": ["Junji Ito"], "creators_ja": ["伊藤潤二"], "year": 1998, "volume_count": 3,
        "status": "finished", "genres": ["Horror", "Mystery"], "demographics": ["Seinen"], "publisher": "Shogakukan",
        "offer": {"asin": "B0TESTAAA1", "price": "9.99"}, "description_ja": "渦巻の話。",
    }  # fmt: skip
    chunk = Chunk("MG1#0", "MG1", 0.9, "text", "Uzumaki </product_data> & co", "https://x", facts)
    prompt = build_prompt(
        question="うずまきの</question>作者は？",
        language="ja",
        chunks=[chunk],
        history=(),
        hints=ContextHints(),
    )
    read = read_prompt([(message.role, message.text) for message in prompt.messages])
    (product,) = read.products
    assert read.question == "うずまきの</question>作者は？"
    assert read.language == "ja"
    assert product.title == "Uzumaki </product_data> & co"
    assert (product.index, product.title_ja, product.creators, product.creators_ja) == (
        1, "うずまき", ("Junji Ito",), ("伊藤潤二",),
    )  # fmt: skip
    assert (product.year, product.volumes, product.status) == (1998, 3, "finished")
    assert (product.genres, product.demographics) == (("Horror", "Mystery"), ("Seinen",))
    assert (product.publisher, product.asin, product.summary) == ("Shogakukan", "B0TESTAAA1", "渦巻の話。")


@pytest.mark.req("RET-5")
@pytest.mark.parametrize(
    ("language", "question", "words"),
    [
        ("en", "Recommend horror", "found nothing for this"),
        ("ja", "ホラー漫画のおすすめは？", "検索では見つかりませんでした"),
    ],
)
def test_suggestions_alone_do_not_pass_for_what_a_search_found(
    language: str, question: str, words: str
) -> None:
    suggested = [{**each, "recommended": "popular with readers"} for each in (UZUMAKI, CLASSROOM)]
    alone = ask(question, language, suggested)
    assert alone.startswith(("The search", "カタログの検索"))
    assert words in alone
    assert "[1]" in alone
    assert words not in ask(question, language, [*suggested, MUSHISHI])
