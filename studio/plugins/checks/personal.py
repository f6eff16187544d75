"""Personal data: telephone and identity numbers, bank cards and e-mail addresses, their middle hidden when shown."""

from __future__ import annotations

import re
from datetime import date

from studio.plugins.checks import Case, Values

ORDER = 2
SEVERITY = "warning"
FIX = "drop"
NEEDS = ""

_MAIL = re.compile(r"(?<![\w.+-])(\w(?:[\w.+-]*\w)?)@([\w-]+(?:\.[\w-]+)+)", re.A)
# In one piece, a mobile number in its three parts, a card in fours, a number of North America.
_DIGITS = re.compile(r"(?<![\w.-])(?:\+?\d{11,19}[Xx]?|(?:\+?86[ -]?)?1\d{2}([ -])\d{4}\1\d{4}|"
                     r"\d{4}([ -])\d{4}\2\d{4}\2\d{4,7}|"
                     r"(?:\+?1[ -])?(?:\(\d{3}\) ?|\d{3}[ -])\d{3}-\d{4})(?![\w-]|\.\d)", re.A)
_MOBILE = re.compile(r"(?:\+?86)?1[3-9]\d{9}")
_AMERICAN = re.compile(r"\+?1?[2-9]\d{2}[2-9]\d{6}")
_AMERICAN_FORM = re.compile(r"(?:\+?1[ -])?\(?\d{3}\)?[ -]\d{3}-\d{4}")
_CARD = re.compile(r"(?:62|4\d|5[1-5]|2[2-7]|3[47]|35|60|65)\d{11,17}")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)  # GB 11643-1999
_CHECKS = "10X98765432"
_NOBODY = ("example", "test", "user", "username", "name", "yourname", "email", "someone", "info")
_EXAMPLES = ("example", "test", "email", "domain", "mail", "yourdomain", "company", "website", "xyz", "abc")
_RUN = "01234567890123456789"
_RUN_LENGTH = 6
_FICTION = "555"


def see(case: Case) -> Values | None:
    """The first datum that belongs to a person."""
    text = case.text
    found = next((match[0] for match in _MAIL.finditer(text) if _is_address(match)), "") if "@" in text else ""
    found = found or next((match[0] for match in _DIGITS.finditer(text) if is_personal(match[0])), "")
    return {"text": f"{found[:3]}…{found[-2:]}"} if found else None


def _is_address(match: re.Match[str]) -> bool:
    """Whether an address can be somebody's; documentation uses example.com and its like."""
    parts = match[2].lower().split(".")
    if match[1].lower() in _NOBODY or any(part in _EXAMPLES for part in parts):
        return False
    return parts[-1].isalpha() and len(parts[-1]) > 1


def is_personal(written: str) -> bool:
    """Whether a long number is a mobile, a telephone, an identity number or a bank card."""
    number = re.sub(r"[ ()-]", "", written).upper()
    if len(set(number)) < 4 or _counts_up(number):
        return False
    if _MOBILE.fullmatch(number):
        return True
    if _AMERICAN_FORM.fullmatch(written) and _AMERICAN.fullmatch(number):
        return number[-7:-4] != _FICTION and number[-10:-7] != _FICTION
    return is_identity_number(number) or (_CARD.fullmatch(number) is not None and has_luhn(number))


def _counts_up(number: str) -> bool:
    """Whether a number holds 123456 or its like, as invented ones do; a date of birth is no such thing."""
    pieces = {number[at:at + _RUN_LENGTH] for at in range(len(number) - _RUN_LENGTH + 1)}
    return any(piece in _RUN or piece in _RUN[::-1] for piece in pieces)


def is_identity_number(number: str) -> bool:
    """Whether eighteen signs are a Chinese identity number: a region, a date of birth and the check sign."""
    if not re.fullmatch(r"[1-9]\d{16}[\dX]", number):
        return False
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, number, strict=False))
    return 1900 <= born.year <= date.today().year and _CHECKS[total % 11] == number[-1]


def has_luhn(number: str) -> bool:
    """Whether the last digit of a card's number checks the others (ISO/IEC 7812-1)."""
    digits = [int(digit) for digit in reversed(number)]
    return sum(digits[::2] + [sum(divmod(2 * digit, 10)) for digit in digits[1::2]]) % 10 == 0
