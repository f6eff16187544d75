"""Answers that break off: an open code block, open JSON, a list mark without words, half a sentence.

A missing full stop is no sign by itself, since many write without one. Half a sentence is told by what stands at its
end (a comma, an article) or by the whole sentences in front of it in the same paragraph.
"""

from __future__ import annotations

import re

from studio.plugins.checks import Case, Values

ORDER = 60
SEVERITY = "warning"
FIX = ""
NEEDS = ""

_TAIL = 40
_OPEN_END = re.compile(r"(?:[,\uff0c\u3001(\uff08\[{\u300a\u201c\uff1a]|[a-z]:)\Z")
_BARE_MARK = re.compile(r"\n\s*(?:[-*\u2022]|\d{1,2}[.)\u3001\uff0e])\s*\Z")
_HANGING = re.compile(r"[a-z,;]\s+(?:the|an?|and|or|but|of|because|their|your|my|our|whose|than|into|if|such as)\Z")
_SENTENCES = re.compile(r"[a-z)\"']{2}[.!?][\"')]* +[A-Z]")
_SENTENCE_END = re.compile(r"[.!?\u2026:;\"')\]*_`>|~#\d%$]\Z|[^\x00-\x7f]\Z")
_HAN_ENDS = re.compile(r"[\u3002\uff01\uff1f]")
_HAN_LAST = re.compile(r"[\u4e00-\u9fff]\Z")
_LIST_LINE = re.compile(r"\s*(?:[-*\u2022|#>]|\d{1,3}[.)\u3001\uff0e])")
_HASHTAG_OR_LINK = re.compile(r"(?:#\w+|://\S+)\Z")
_WORD = re.compile(r"[A-Za-z']+")
_CLOSING_WORDS = 6
_SHORTEST_WORDS, _SHORTEST_HAN = 4, 6
_FEWEST_SENTENCES = 3


def see(case: Case) -> Values | None:
    """The end of an answer that breaks off."""
    for answer in case.answers:
        text = answer.rstrip()
        if text and breaks_off(text):
            return {"text": text[-_TAIL:].replace("\n", " ")}
    return None


def breaks_off(text: str) -> bool:
    """Whether a text, without white space at its end, stops before it is done."""
    if text.count("```") % 2:
        return True
    if text.endswith("```"):
        return False
    if text[0] in "{[" and _is_open_json(text):
        return True
    if "\n" in text and _BARE_MARK.search(text[-2 * _TAIL:]):
        return True
    last = text.rpartition("\n")[2]
    if text[-1].isascii() and _HANGING.search(last[-80:]) and len(_WORD.findall(last)) > _SHORTEST_WORDS:
        return True
    return _ends_open(text, last) or _is_half_a_sentence(last)


def _is_open_json(text: str) -> bool:
    """Whether what begins as JSON ends inside a bracket or a string."""
    if not re.match(r"[{\[]\s*[{\[\"]", text):
        return False
    depth, inside, escaped = 0, False, False
    for letter in text:
        if inside:
            inside, escaped = (letter != '"' or escaped), (letter == "\\" and not escaped)
        elif letter == '"':
            inside = True
        elif letter in "{[":
            depth += 1
        elif letter in "}]":
            depth -= 1
    return depth > 0


def _ends_open(text: str, last: str) -> bool:
    """A comma, a colon or an opening bracket at the end of a longer text; a letter may close with "Best," though."""
    closes = last.endswith(",") and last.isascii() and len(_WORD.findall(last)) <= _CLOSING_WORDS
    return bool(_OPEN_END.search(last[-2:])) and len(text) > 2 * _TAIL and not closes


def _is_half_a_sentence(last: str) -> bool:
    """Whether a paragraph of whole sentences ends in one that is not."""
    if _LIST_LINE.match(last) or _HASHTAG_OR_LINK.search(last):
        return False
    if _HAN_LAST.search(last):
        pieces = _HAN_ENDS.split(last)
        return len(pieces) > _FEWEST_SENTENCES and len(pieces[-1]) > _SHORTEST_HAN
    if _SENTENCE_END.search(last) or len(_SENTENCES.findall(last)) < _FEWEST_SENTENCES - 1:
        return False
    rest = re.split(r"[.!?][\"')]* +", last)[-1]
    return rest[-1:].islower() and len(_WORD.findall(rest)) >= _SHORTEST_WORDS
