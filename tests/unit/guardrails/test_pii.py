"""What is personal data and what only looks like it. All people and numbers are made up."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mangaassist.guardrails import checks
from mangaassist.guardrails.pii import pii_detectors, redact
from tests.unit.guardrails.pieces import pii_like_text

CASES = [
    ("Mail taro.yamada+manga@example.co.jp please", "Mail [EMAIL] please"),
    ("メールはtaro@example.jpです", "メールは[EMAIL]です"),
    ("ｔａｒｏ＠ｅｘａｍｐｌｅ．ｃｏｍ", "[EMAIL]"),
    ("(first.last@example.com).", "([EMAIL])."),
    ("card 4111 1111 1111 1111 exp", "card [CREDIT_CARD] exp"),
    ("クレジットカード3530111333300000が使えません", "クレジットカード[CREDIT_CARD]が使えません"),
    ("3782-822463-10005", "[CREDIT_CARD]"),
    ("IBAN GB82 WEST 1234 5698 7654 32.", "IBAN [IBAN]."),
    ("DE89370400440532013000", "[IBAN]"),
    ("SSN 536-22-1234", "SSN [SSN]"),
    ("マイナンバーは123456789018です", "マイナンバーは[MY_NUMBER]です"),
    ("1234-5678-9018", "[MY_NUMBER]"),
    ("from 203.0.113.42 today", "from [IP_ADDRESS] today"),
    ("2001:db8:85a3::8a2e:370:7334", "[IP_ADDRESS]"),
    ("call +81-90-6377-5509", "call [PHONE]"),
    ("tel: +44 20 7946 0958", "tel: [PHONE]"),
    ("(505) 498-8487x6837", "[PHONE]"),
    ("618-226-1460 or 618.226.1460", "[PHONE] or [PHONE]"),
    ("私の番号は07014799762です", "私の番号は[PHONE]です"),
    ("０９０－８５８５－９８２１", "[PHONE]"),
    ("090ー8585ー9821", "[PHONE]"),
    ("03-4695-4002まで", "[PHONE]まで"),
    ("電話番号は0312345678です", "電話番号は[PHONE]です"),
    ("my phone number is 782 2652", "my phone number is [PHONE]"),
    ("〒150-0001", "〒[POSTAL_CODE]"),
    ("郵便番号911-1584", "郵便番号[POSTAL_CODE]"),
    ("zip code 94105-1234", "zip code [POSTAL_CODE]"),
    ("150-0001 東京都渋谷区神南1-2-3", "[POSTAL_CODE] [ADDRESS]"),
    ("住所は山形県目黒区山中新田22丁目5番16号（352-3056）です", "住所は[ADDRESS]（[POSTAL_CODE]）です"),
    ("東京都千代田区一番町一丁目二番三号に送って", "[ADDRESS]に送って"),
    ("富山県東久留米市日光21丁目21番2号 コート686へ", "[ADDRESS]へ"),
    ("神南36丁目4番15号", "神南[ADDRESS]"),
    ("I live at 221B Baker Street, London", "I live at [ADDRESS], London"),
    ("1600 Pennsylvania Avenue, Suite 12", "[ADDRESS]"),
    ("P.O. Box 1234", "[ADDRESS]"),
    ("PSC 5605, Box 8122\nAPO AP 96504", "[ADDRESS]"),
    ("a@example.com,b@example.com", "[EMAIL],[EMAIL]"),
]

NOT_PERSONAL = [
    "注文番号249-1120345-9981233をキャンセルできますか？",
    "order 370795561790",
    "track 113542617735902",
    "purchase 00123842 and 00004587345",
    "ISBN 978-4-06-531234-5は何巻ですか？",
    "ISBN 9784065312346",
    "ISBN-10 4-06-531234-0",
    "JAN 4901234567894",
    "ASIN B0ABCDEF12",
    "全34巻セットは15,000円以下ですか？",
    "$1,234.56 or 1.234,56 EUR",
    "2009年から連載",
    "1998-2004, 2024-11-21, 21.11.2024, 09/12/2024",
    "chapters 909-1057 and 1058-1125",
    "（909-1057）",
    "at 12:30:45 o'clock",
    "std::vector and a::b",
    "version 3.11.7",
    "20th Century Boys, 3-gatsu no Lion, 7 Seeds",
    "Volume 12 Abbey Road",
    "12 Milky Way",
    "東京都が舞台の漫画を教えて",
    "北海道の漫画を3冊",
    "東京リベンジャーズ",
    "100万円の女たち",
    "@mangafan and manga@",
    "1/2, 3-4, 10 x 20",
    "GB12 and US50",
    "4111 1111 1111 1112",
    "電話番号を教えて",
    "Box 7 of the shelf",
]


@pytest.mark.req("GRD-1", "SEC-2")
@pytest.mark.parametrize(("text", "expected"), CASES)
def test_personal_data_is_replaced(text, expected):
    assert redact(text).text == expected


@pytest.mark.req("GRD-1")
@pytest.mark.parametrize("text", NOT_PERSONAL)
def test_what_a_shop_talks_about_is_left_alone(text):
    assert redact(text).text == text


def test_findings_tell_type_and_place_and_not_the_data():
    text = "mail a@example.com"
    redaction = redact(text)
    [finding] = redaction.findings
    assert (finding.type, text[finding.start : finding.end]) == ("EMAIL", "a@example.com")
    assert "example.com" not in repr(redaction)


@pytest.mark.parametrize("detector", pii_detectors(), ids=lambda each: each.id)
def test_a_detector_finds_nothing_in_nothing(detector):
    assert not list(detector.candidates(""))


@settings(max_examples=150, deadline=None)
@given(pii_like_text())
def test_findings_are_in_order_apart_and_what_the_text_lost(text):
    redaction = redact(text)
    kept, position = [], 0
    for finding in redaction.findings:
        assert position <= finding.start < finding.end <= len(text)
        kept += [text[position : finding.start], f"[{finding.type}]"]
        position = finding.end
    assert "".join((*kept, text[position:])) == redaction.text


@settings(deadline=None)
@given(st.text("あ漫画、。abc xyz", max_size=200))
def test_text_without_digits_or_at_sign_is_untouched(text):
    assert redact(text).text == text


@given(st.text("0123456789", min_size=11, max_size=18))
def test_exactly_one_last_digit_satisfies_luhn(digits):
    assert sum(checks.luhn(digits + last) for last in "0123456789") == 1


@given(st.text("0123456789", min_size=11, max_size=11))
def test_exactly_one_last_digit_makes_an_individual_number(digits):
    assert sum(checks.my_number(digits + last) for last in "0123456789") == 1


@given(st.text("0123456789", min_size=9, max_size=9))
def test_exactly_one_last_character_makes_an_isbn_10(digits):
    assert sum(checks.isbn_10(digits + last) for last in "0123456789X") == 1


@pytest.mark.parametrize(
    ("iban", "sound"),
    [
        ("GB82WEST12345698765432", True),
        ("GB82WEST12345698765433", False),
        ("FR1420041010050500013M02606", True),
        ("GB82WEST1234569876543", False),
        ("ZZ82WEST12345698765432", False),
    ],
)
def test_iban_check(iban, sound):
    assert checks.iban(iban) is sound
