"""Placeholders that were never filled in: {{name}}, <NAME>, [Your Name]; code and questions about templates aside."""

from __future__ import annotations

import re
from functools import cache

from studio.plugins.checks import Case, Values, shown, without_code, words_of

ORDER = 52
SEVERITY = "warning"
FIX = ""
NEEDS = ""

_BRACKET = re.compile(r"[{<\[\u3010]")
_CURLY = re.compile(r"\{\{ *[\w.]+ *\}\}")
_MARKUP = re.compile(r"</\w+>|\{%|<\w+ \w+=")  # a page, whose curly brackets a program fills
_ANGLE = re.compile(r"<([A-Z][A-Z_ ]{2,24})>")
_SQUARE = re.compile(r"(?<!\w)\[ *(?:your|insert|enter|company|customer|recipient|client|sender|first|last|full|hiring)"
                     r"\b[^\[\]\n]{0,40}\](?!\()", re.I)
_TAGS = frozenset((
    "HTML", "HEAD", "BODY", "TITLE", "TABLE", "DIV", "SPAN", "FORM", "INPUT", "SCRIPT", "STYLE", "CENTER", "FONT",
    "LINK", "META", "BUTTON", "SELECT", "OPTION", "IMG", "BR", "HR", "PRE", "CODE", "SVG", "XML",
    "BOS", "EOS", "PAD", "UNK", "SEP", "CLS", "MASK"))


def see(case: Case) -> Values | None:
    """The placeholder; in plain text only, not in code, and not where the question brought it."""
    for answer in case.answers:
        if not _BRACKET.search(answer):
            continue
        found = _found(without_code(answer))
        if found and found not in case.question and not words_of("template").search(case.question):
            return {"text": shown(found)}
    return None


def _found(text: str) -> str:
    for angle in _ANGLE.finditer(text):
        if angle[1] not in _TAGS:
            return angle[0]
    curly = None if _MARKUP.search(text) else _CURLY.search(text)
    match = curly or _SQUARE.search(text) or _bracketed().search(text)
    return match[0] if match else ""


@cache
def _bracketed() -> re.Pattern[str]:
    """Words of any language that a reader is to replace, in brackets."""
    return re.compile(rf"(?<!\w)[\[\u3010](?:{words_of('placeholders').pattern})[\]\u3011](?!\()", re.I)
