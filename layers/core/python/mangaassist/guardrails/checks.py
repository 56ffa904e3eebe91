"""Check digits and other second looks at a candidate, by the name a data file uses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

_DIGIT = re.compile(r"[0-9]")
_CARD_PREFIX = re.compile(r"4|5[0-8]|6|3[0-9]|2[2-7]|1800|2131")
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO", 16: "BE", 18: "DK FI NL FO GL", 19: "MK SI", 20: "AT BA EE KZ LT LU XK", 21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS", 23: "AE GI IL IQ TL", 24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "PT ST", 26: "IS TR", 27: "FR GR IT MC MR SM", 28: "AL AZ CY DO GT HU LB PL SV BY",
        29: "BR EG PS QA UA", 30: "JO KW MU", 31: "MT SC", 32: "LC",
    }.items()
    for country in countries.split()
}  # fmt: skip
"""Lengths by country, from the IBAN registry."""


def digits_of(text: str) -> str:
    """The ASCII digits of ``text``, nothing else."""
    return "".join(_DIGIT.findall(text))


def luhn(digits: str) -> bool:
    """The check digit of payment cards (ISO/IEC 7812)."""
    total = 0
    for position, digit in enumerate(reversed(digits)):
        value = int(digit) * (1 + position % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def article_number(digits: str) -> bool:
    """Whether 13 digits are a valid EAN / JAN / ISBN-13, as printed on every book."""
    weighted = sum(int(digit) * (3 if position % 2 else 1) for position, digit in enumerate(digits))
    return len(digits) == 13 and weighted % 10 == 0


def isbn_10(characters: str) -> bool:
    """Whether ten characters are a valid ISBN-10; a printed book's ASIN is its ISBN-10."""
    values = [10 if each in "Xx" else int(each) for each in characters]
    return len(values) == 10 and sum(value * (10 - place) for place, value in enumerate(values)) % 11 == 0


def credit_card(text: str) -> bool:
    """A card number by issuer prefix, length and check digit, and not the article number of a product."""
    digits = digits_of(text)
    return bool(_CARD_PREFIX.match(digits)) and luhn(digits) and not article_number(digits)


def iban(text: str) -> bool:
    """An account number of its country's length with the right remainder (ISO 13616)."""
    compact = text.replace(" ", "")
    if _IBAN_LENGTHS.get(compact[:2]) != len(compact):
        return False
    return int("".join(str(int(each, 36)) for each in compact[4:] + compact[:4])) % 97 == 1


def my_number(text: str) -> bool:
    """A Japanese Individual Number: twelve digits, the last one computed (ordinance of 2014, article 5)."""
    digits = digits_of(text)
    total = sum(
        int(digit) * (n + 1 if n <= 6 else n - 5) for n, digit in enumerate(reversed(digits[:-1]), start=1)
    )
    remainder = total % 11
    return len(digits) == 12 and int(digits[-1]) == (0 if remainder <= 1 else 11 - remainder)


def phone(text: str) -> bool:
    """Seven to fifteen digits (E.164's limit), extension included or not."""
    return 7 <= len(digits_of(re.split("[ex]", text)[0])) <= 15


def trunk_phone(text: str) -> bool:
    """Ten or eleven digits in all, as national numbers with their trunk zero have."""
    return len(digits_of(text)) in (10, 11)


def ip_address(text: str) -> bool:
    """Whether the standard library takes it for an address; a time such as ``12:30:45`` is none."""
    import ipaddress

    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return text.count(":") > 2


CHECKS: Final[Mapping[str, Callable[[str], bool]]] = {
    check.__name__: check for check in (credit_card, iban, my_number, phone, trunk_phone, ip_address)
}
