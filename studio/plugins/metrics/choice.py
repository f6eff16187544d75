"""Accuracy by choice: which option an answer takes, however it is told."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

from studio.plugins.metrics import CJK, Row, accepted, narrow, plain, stands_in

ORDER = 13
NEEDS = ("reference", "choices")
SHARE = True
HIGHER = True
SCALE = 100

LETTERS = "ABCDEFGHIJ"
_BETWEEN = r"[\s:(\[\"'*$]{0,12}"
_ENDS = rf"(?=[^\w\s]|\s*(?:$|\n)|\s*[{CJK}])"
_ALONE = re.compile(r"[\s(\[*]*([A-Ja-j])[\s.):,\]*\u3001\u3002]*")
_FIRST = re.compile(rf"[\s(\[\"'*]*([A-J]){_ENDS}")
_LETTER = re.compile(r"(?<![A-Za-z0-9'])([A-J])(?![A-Za-z0-9'])")


def score(answer: str, reference: str, row: Row) -> float | None:
    """1 for the right option; None for a reference that names no option. An answer that takes none is wrong."""
    wanted = {place for one in accepted(reference, row) if (place := _meant(one, row.choices)) is not None}
    return float(taken(answer, row.choices) in wanted) if wanted else None


def _meant(reference: str, choices: tuple[str, ...]) -> int | None:
    """Which option a reference is: its text, or its letter."""
    if reference in choices:
        return choices.index(reference)
    alone = _ALONE.fullmatch(narrow(reference))
    place = LETTERS.index(alone[1].upper()) if alone else None
    if place is not None and place < (len(choices) or len(LETTERS)):
        return place
    texts = [plain(one) for one in choices]
    return texts.index(plain(reference)) if plain(reference) in texts else None


def taken(answer: str, choices: tuple[str, ...]) -> int | None:
    """Which option an answer takes, None where that cannot be told.

    In this order: the whole answer is an option or a letter; the last letter behind words such as "the answer is"; a
    letter in front; the only option whose text is told; the only letter that stands by itself.
    """
    whole = _meant(answer, choices)
    if whole is not None:
        return whole
    text = narrow(answer)
    count = len(choices) or len(LETTERS)
    behind = [found[1] for found in _behind_cue().finditer(text)]
    first = _FIRST.match(text)
    for letter in (behind[-1] if behind else "", first[1] if first else ""):
        if letter and LETTERS.index(letter.upper()) < count:
            return LETTERS.index(letter.upper())
    said = plain(answer)
    told = [place for place, one in enumerate(choices) if stands_in(plain(one), said)]
    if len(told) == 1:
        return told[0]
    letters = {LETTERS.index(found[1]) for found in _LETTER.finditer(text)}
    return letters.pop() if len(letters) == 1 and max(letters) < count else None


@cache
def _behind_cue() -> re.Pattern[str]:
    """A letter behind words that announce an answer."""
    cues = json.loads(Path(__file__).with_name("words.json").read_text(encoding="utf-8"))["answer_cues"]
    any_cue = "|".join(re.escape(cue) for cue in sorted(cues, key=len, reverse=True))
    option = r"(?:(?i:option|choice)\s+)?"
    return re.compile(rf"(?i:{any_cue}){_BETWEEN}{option}{_BETWEEN}([A-J]){_ENDS}")
