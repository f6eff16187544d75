"""How an answer is scored, one file a metric; the file's name is the metric's name in scores, YAML and files.

A metric's module has
    ORDER        its place in tables
    NEEDS        what a row must bring: "reference", "choices", "schema"; () for what the answer tells by itself;
                 "likelihood": the engine measures it beside the answer, its words alone do not tell
    SHARE        True where every answer's score lies between 0 and 1
    HIGHER       True: larger is better, False: smaller is better, None: neither is
    SCALE        100 or 1: by what a score is multiplied where it is shown
and at least one of
    score(answer, reference, row) -> float | None     one answer; None: the metric does not apply to this row
    whole(answers, references, options=NONE) -> float  all answers together, where that is no mean over answers
and may have
    parts(answer, reference, row) -> tuple of floats, and total(sums, options=NONE) -> float: `whole` in pieces, so that
                 rows can be read in several processes and drawn again: total of the column sums equals whole
    SIGNATURE    what a score must be quoted with, a text or a function of the options
    ALIASES      its names in older files and recipes
    Arguments    a Group of its own arguments, all beginning with the metric's name; values arrive as `options`,
                 beside them under ROOT the workspace's folder
    check(options)   raises InputError when the metric cannot be used with these options
Functions are pure: the same words give the same score in every process. Words: `metrics.<name>.label` and `.help`.
"""

from __future__ import annotations

import functools
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from types import ModuleType
from typing import Any

from studio.args.fields import Group
from studio.texts import say

NONE: Mapping[str, Any] = {}
ROOT = "root"
REMEMBERED_CHARACTERS = 4096
LONGEST_NUMBER = 400
CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"

_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20, 0x2212: 0x2D}
_UNSEEN = dict.fromkeys((0x200B, 0x2060, 0xFEFF, 0xAD))
_MARKS = re.compile(r"\*\*|__|`+")
_THOUSANDS = re.compile(r"(?<=[0-9]),(?=[0-9]{3}(?![0-9]))")
_DECIMAL = re.compile(r"(?<![\w.])([0-9]+)\.([0-9]+)(?![\w.]*[0-9])")
_ASCII_POINTS = frozenset("!\"'(),.:;?[]{}")
_INSIDE_NUMBERS = frozenset(".,:")
_SPACES = re.compile(r"\s+")
_SPACE_BY_CJK = re.compile(rf"(?<=[{CJK}]) | (?=[{CJK}])")
_TOKEN = re.compile(rf"[{CJK}]|(?:(?![{CJK}])\w)+(?:[.:,][0-9]+)*|\S")
_NUMBER = re.compile(
    r"(?:(?<![0-9A-Za-z.)\]}])-)?"  # a sign, not the minus of 7-5
    r"(?:[0-9][0-9,]*(?:\.[0-9]+)?|(?<![0-9A-Za-z])\.[0-9]+)(?:[eE][-+]?[0-9]{1,3}(?![0-9]))?")
_FRACTION = re.compile(r"(-?)\\[dt]?frac\s*\{\s*(-?[0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\}")
_DIVIDED = re.compile(r"\s?/\s?")
_FINAL = "####"


@dataclass(frozen=True)
class Row:
    """What a row brings beside answer and reference; `references` are all accepted answers, `reference` among them."""

    question: str = ""
    choices: tuple[str, ...] = ()
    schema: Any = None
    references: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)


def label(lang: str, name: str) -> str:
    """What a metric is called."""
    return say(lang, f"metrics.{name}.label")


def explained(lang: str, name: str) -> str:
    """What a metric says of an answer, in a sentence or two."""
    return say(lang, f"metrics.{name}.help")


def signature(metric: ModuleType, options: Mapping[str, Any] = NONE) -> str:
    """What a score of this metric must be quoted with; "" for most."""
    own = getattr(metric, "SIGNATURE", "")
    return str(own(options)) if callable(own) else own


def option(options: Mapping[str, Any], group: type[Group], name: str) -> Any:
    """The value of a metric's own argument: what was given, else the declared default."""
    if name in options:
        return options[name]
    return group.model_fields[name].get_default(call_default_factory=True)


def accepted(reference: str, row: Row) -> tuple[str, ...]:
    """Every answer that counts as right."""
    return (reference, *(other for other in row.references if other != reference))


def remembered(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A reading of a text that several metrics ask for, kept for the last few short texts."""
    kept = functools.lru_cache(maxsize=1024)(read)

    @functools.wraps(read)
    def once(text: str) -> Any:
        return kept(text) if len(text) <= REMEMBERED_CHARACTERS else read(text)

    return once


def narrow(text: str) -> str:
    """A text with full-width Latin letters, digits and signs written narrow, and without what cannot be seen."""
    return unicodedata.normalize("NFC", text).translate(_WIDE).translate(_UNSEEN)


@remembered
def plain(text: str) -> str:
    """A text without what rarely changes its meaning.

    Letter case, width, white space, quotes, brackets, sentence marks and bold marks go; numbers are written one way
    (1,000.0 is 1000). Signs of reckoning and of code stay.
    """
    text = _MARKS.sub("", narrow(text).casefold())
    text = _DECIMAL.sub(_shortest, _THOUSANDS.sub("", text))
    text = "".join(" " if _is_point(text, place) else sign for place, sign in enumerate(text))
    return _SPACE_BY_CJK.sub("", _SPACES.sub(" ", text).strip())


def _shortest(found: re.Match[str]) -> str:
    after = found[2].rstrip("0")
    return f"{found[1]}.{after}" if after else found[1]


def _is_point(text: str, place: int) -> bool:
    """Whether a sign only parts or quotes words; a point between digits does not."""
    sign = text[place]
    if sign.isalnum() or sign == " ":
        return False
    if sign in _INSIDE_NUMBERS:
        return not (text[place - 1:place].isdigit() and text[place + 1:place + 2].isdigit())
    return sign in _ASCII_POINTS or (not sign.isascii() and unicodedata.category(sign)[0] == "P")


@remembered
def tokens(text: str) -> tuple[str, ...]:
    """The words of a text by `plain`: Chinese and Japanese by character, other scripts by word, signs one by one."""
    return tuple(_TOKEN.findall(plain(text)))


def last_value(text: str) -> Fraction | str | None:
    """The value of the last number in a text, behind `####` where that stands; None without a number.

    A fraction is one number (3/4, \\frac{3}{4}); a number of more than 400 digits is compared as it is written.
    """
    text = narrow(text)
    final = text.rfind(_FINAL)
    told = _NUMBER.search(text, final) if final >= 0 else None
    text = text[final:].partition("\n")[0] if told and "\n" not in text[final:told.start()] else text
    text = _FRACTION.sub(r" \1\2/\3", text)
    found: list[tuple[int, int]] = [match.span() for match in _NUMBER.finditer(text)]
    if not found:
        return None
    last = text[slice(*found[-1])]
    parts = [text[found[-2][1]:found[-1][0]], text[found[-3][1]:found[-2][0]] if len(found) > 2 else ""] \
        if len(found) > 1 else ["", ""]
    if _DIVIDED.fullmatch(parts[0]) and not _DIVIDED.fullmatch(parts[1]):  # 2023/10/5 is a date
        above, below = _value(text[slice(*found[-2])]), _value(last)
        if isinstance(above, Fraction) and isinstance(below, Fraction) and below:
            return above / below
    return _value(last)


def _value(spelled: str) -> Fraction | str:
    spelled = spelled.replace(",", "").lower()
    digits, _, power = spelled.partition("e")
    if len(digits) > LONGEST_NUMBER or (power and abs(int(power)) > LONGEST_NUMBER):
        return spelled
    return Fraction(spelled)


def stands_in(part: str, text: str) -> bool:
    """Whether a part stands in a text as words of its own: 8 does not stand in 88, nor cat in category."""
    place = text.find(part)
    while part and place >= 0:
        if not _goes_on(text, place - 1, place, -1) and not _goes_on(text, place + len(part), place + len(part) - 1, 1):
            return True
        place = text.find(part, place + 1)
    return False


def _goes_on(text: str, outside: int, inside: int, way: int) -> bool:
    """Whether the word or number at `inside` goes on at `outside`."""
    if not 0 <= outside < len(text):
        return False
    edge, beyond = text[inside], text[outside]
    if not (edge.isascii() and edge.isalnum()):
        return False
    if edge.isdigit() and beyond in ".," and text[outside + way:outside + way + 1].isdigit() and outside + way >= 0:
        return True
    return beyond.isascii() and beyond.isalnum()


def overlap(ours: Sequence[Any], theirs: Sequence[Any]) -> float:
    """The harmonic mean of precision and recall over two bags of tokens; two empty ones agree."""
    from collections import Counter

    if not ours or not theirs:
        return float(not ours and not theirs)
    same = (Counter(ours) & Counter(theirs)).total()
    return 2 * same / (len(ours) + len(theirs))


def ngrams(words: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """The runs of n words, in order."""
    return list(zip(*(words[start:] for start in range(n))))


def finite(value: float) -> float:
    """The value, 0 for what is no number."""
    return value if math.isfinite(value) else 0.0
