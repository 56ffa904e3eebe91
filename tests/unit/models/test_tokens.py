"""Token-sized pieces: nothing lost, nothing split that belongs together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tools.twin.models import tokens


@given(st.text())
def test_pieces_and_chunks_join_to_the_text(text: str) -> None:
    assert "".join(tokens.pieces(text)) == text
    assert "".join(chunk for chunk, _ in tokens.chunks(text)) == text


@given(st.text(min_size=1))
def test_chunks_hold_one_to_five_tokens_and_are_valid_utf_8(text: str) -> None:
    sizes = []
    for chunk, size in tokens.chunks(text):
        assert chunk
        sizes.append(size)
        assert 1 <= size <= 5
        if chunk.isprintable():
            assert chunk.encode().decode() == chunk
    assert sum(sizes) == tokens.count(text)


def test_a_mark_stays_with_its_character() -> None:
    for text in ("cafe\u0301 au lait", "か\u3099き", "❤\ufe0f!"):
        assert all(not piece.startswith(("\u0301", "\u3099", "\ufe0f")) for piece in tokens.pieces(text))


def test_counts_are_near_what_tokenizers_count() -> None:
    assert tokens.count("Recommend horror manga like Junji Ito") == 7
    assert 10 <= tokens.count("伊藤潤二みたいなホラー漫画のおすすめは？") <= 16
    assert tokens.count("") == 0
