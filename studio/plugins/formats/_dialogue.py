"""Conversations written into one text: `Human: … Assistant: …`, `<user>: … <bot>: …`, `User: … Bot: …`."""

from __future__ import annotations

import re

from studio.plugins.formats import Unusable
from studio.plugins.formats._cells import NAMES
from studio.sample import Message

_SPEAKERS = {name: role for role, key in (("user", "asking"), ("assistant", "answering")) for name in NAMES[key]}
_NAMES = "|".join(map(re.escape, _SPEAKERS))
# A name in angle brackets may stand anywhere; a bare one only where a line begins.
_MARK = re.compile(rf"<({_NAMES})>\s*[:\uff1a]?\s*|(?:^|\n)\s*((?i:{_NAMES}))[:\uff1a][ \t]*")
_END = re.compile(r"\s*(?:<\|endoftext\|>|</s>|<\|im_end\|>)\s*$")


def is_dialogue(text: str, turns: int = 1) -> bool:
    """Whether a text begins with a question's mark and has at least so many marks."""
    found = _MARK.match(text.lstrip())
    return found is not None and _role(found) == "user" and sum(1 for _ in _MARK.finditer(text)) >= turns


def turns_in(text: str) -> list[Message]:
    """The turns of a dialogue; the end sign that a turn was given is taken off, and turns without words are left out.

    Raises Unusable no_dialogue for a text that does not begin with a mark.
    """
    text = text.strip()
    marks = list(_MARK.finditer(text))
    if not marks or marks[0].start() != 0:
        raise Unusable("no_dialogue")
    ends = [mark.start() for mark in marks[1:]] + [len(text)]
    found = [Message(_role(mark), _END.sub("", text[mark.end():end]).strip())
             for mark, end in zip(marks, ends, strict=True)]
    if found[-1].role == "assistant" and not found[-1].content:
        found.pop()
    return found


def _role(mark: re.Match[str]) -> str:
    return _SPEAKERS[(mark.group(1) or mark.group(2)).lower()]
