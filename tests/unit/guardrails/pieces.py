"""Texts on the edge of personal data, for property tests. All numbers are made up."""

from __future__ import annotations

from hypothesis import strategies as st

PII_PIECES = [
    "taro.yamada@example.co.jp",
    "4111 1111 1111 1111",
    "5105105105105100",
    "GB82 WEST 1234 5698 7654 32",
    "536-22-1234",
    "203.0.113.42",
    "2001:db8:85a3::8a2e:370:7334",
    "+81-90-6377-5509",
    "(505) 498-8487 x12",
    "090-1234-5678",
    "０９０－１２３４－５６７８",
    "0688 777 97 84",
    "〒150-0001",
    "1234-5678-9018",
    "東京都渋谷区神南1-2-3 コート686",
    "富山県東久留米市日光21丁目21番2号",
    "221B Baker Street, Suite 12",
    "PSC 5605, Box 8122 APO AP 96504",
    "P.O. Box 1234",
    "Barnes & Noble",
    "紀伊國屋書店",
]
FILLERS = [
    " ", "", ".", "。", "、", ",", "-", "(", ")", "（", "）", ":", "@", "+", "x", "a", "A", "の", "は", "へ", "号", "ー", "\n",
    "phone ", "電話番号は", "マイナンバー", "my number is ", "zip code ", "postal ", "call me at ", "Volume ", "978-4-06-531234-5",
    "249-1120345-9981233", "B0ABCDEF12", "1998", "vol. 12", "Uzumaki", "うずまき", "東京都", "北海道", "丁目", "Street", "Box",
]  # fmt: skip


def pii_like_text() -> st.SearchStrategy[str]:
    """Whole and broken pieces of personal data glued together with almost anything."""
    broken = st.builds(
        lambda piece, start, end: piece[start % len(piece) :][: end % len(piece) + 1],
        st.sampled_from(PII_PIECES), st.integers(0, 40), st.integers(0, 40),
    )  # fmt: skip
    part = st.one_of(
        st.sampled_from(PII_PIECES),
        broken,
        st.sampled_from(FILLERS),
        st.text("0123456789 -.()+:@", max_size=8),
        st.text("abzABZ0 -丁番東都市12", max_size=6),
    )
    return st.lists(part, max_size=8).map("".join)
