"""Answers in another language than the question, and letters of a third script that nobody asked for."""

from __future__ import annotations

import re

from studio.plugins.checks import Case, Values, letters, shown, without_code, words_of

ORDER = 80
SEVERITY = "note"
FIX = ""
NEEDS = ""

_STRAY = re.compile(r"[\u0400-\u052f\u0590-\u06ff\u0900-\u0dff\u0e00-\u0eff\u3040-\u30ff\uac00-\ud7af]")
_LEAST_HAN, _LEAST_LATIN = 8, 40
_CODE = re.compile(r"\bdef \w+\(|\w\(.*\)|[;{}]\s*(?:\n|\Z)|</\w+>|\w = \S")
_MOST = 8_000  # characters that are looked at


def see(case: Case) -> Values | None:
    """The answer's beginning when its language is not the question's, or the stray letters."""
    sample = case.sample
    if not sample.messages or not case.answer:
        return None
    asked = next((one.content for one in reversed(sample.messages[:-1]) if one.role == "user"), "")[:_MOST]
    answer = case.answer[:_MOST]
    if asked.isascii() and answer.isascii():
        return None
    stray = _STRAY.findall(answer)
    if stray and not _STRAY.search(case.question):
        return None if _is_asked_for(case) else {"text": "".join(dict.fromkeys(stray))[:20]}
    one, other = _script(asked), _script(without_code(answer))
    if one and other and one != other and not _CODE.search(answer) and not _is_asked_for(case):
        return {"text": shown(answer)}
    return None


def _is_asked_for(case: Case) -> bool:
    """Whether the question speaks of a language, or of code, which is written in Latin letters."""
    return any(words_of(key).search(case.question) for key in ("languages", "code"))


def _script(text: str) -> str:
    """han or latin when nearly all of a text is that, "" when it is neither or both."""
    han, latin = letters(text)
    if han >= _LEAST_HAN and latin < han:
        return "han"
    return "latin" if latin >= _LEAST_LATIN and 20 * han < latin else ""
