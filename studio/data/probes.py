"""How a chat template spells calls of tools, learned from what it renders.

It is rendered with calls whose names, keys and values are marks; what stands around the marks is how it spells them.
Three spellings are known: an object with name and arguments, a name in front of an object of arguments, and a name in
front of pairs of key and value. What was learned is tried on a rendered call before it is trusted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.data.calls import Call, Calls, Waiting, after
from studio.data.turns import mark
from studio.sample import Message

Said = Callable[[Message], str | None]
NAME, KEY, VALUE, KEY2, VALUE2, NAME2 = (mark(f"call.{one}") for one in "nkvlwm")
_NUMBER = 73501937
_ONE: Call = {"name": NAME, "arguments": {KEY: VALUE}}
_TRIALS: Sequence[Call] = ({"name": "look_up", "arguments": {"a": "x y", "b": 3}},
                           {"name": "look", "arguments": {"text": "caf\u00e9 \"q\" {"}})


def learned(said: Said) -> Calls | None:
    """The spelling of calls in a template; None when it is none of the known. `said` renders an assistant's turn."""
    one = said(Message("assistant", "", (_ONE,)))
    if not one or NAME not in one:
        return None
    for learn in (_object, _named, _paired):
        found = learn(one, said)
        if found is not None and _proved(found, said):
            return found
    return None


@dataclass(slots=True)
class _Parts:
    """Where the body of the one call stands, and what leads from a first body to a second."""

    one: str
    start: int
    end: int
    between: str = ""
    more: dict[str, Any] = field(default_factory=dict)

    def calls(self, said: Said, kind: str) -> Calls:
        """The spelling with these parts."""
        opening, rest = self.one[:self.start], self.one[self.end:]
        inner = space = ""
        with_words = said(Message("assistant", mark("c"), (_ONE,)))
        if with_words and mark("c") in with_words:
            lead, found, _ = with_words.partition(mark("c"))[2].partition(self.one[self.start:self.end])
            if found:
                inner, space = lead.strip(), lead[:len(lead) - len(lead.lstrip())]
        ending, again, closing = rest, "", ""
        if self.between:
            ending = _common(self.between, rest)
            again, closing = self.between[len(ending):], rest[len(ending):]
        return Calls(opening, ending, again, closing, kind, inner=inner, space=space, **self.more)


def _between(said: Said, bounds: Callable[[str, str, str], tuple[int, int] | None]) -> str:
    """What stands between the bodies of two calls."""
    both = said(Message("assistant", "", (_ONE, {"name": NAME2, "arguments": {KEY2: VALUE2}})))
    if not both or NAME not in both or NAME2 not in both:
        return ""
    first, second = bounds(both, NAME, VALUE), bounds(both, NAME2, VALUE2)
    return both[first[1]:second[0]] if first and second else ""


def begun_alike(one: str, other: str) -> str:
    """What two texts begin with."""
    if other.startswith(one):
        return one
    return one[:next(place for place, sign in enumerate(one) if other[place:place + 1] != sign)]


def _common(one: str, other: str) -> str:
    """What both begin with; no sign in pointed brackets is cut in two."""
    found = begun_alike(one, other)
    return found[:found.rindex("<")] if found.rfind("<") > found.rfind(">") else found


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _object(one: str, said: Said) -> Calls | None:
    def bounds(text: str, name: str, value: str) -> tuple[int, int] | None:
        for sign in re.finditer(r"[\[{]", text[:text.index(name)]):
            try:
                found = json.JSONDecoder().raw_decode(text, sign.start())
            except ValueError:
                continue
            if name in _shown(found[0]):
                return sign.start(), found[1]
        return None

    span = bounds(one, NAME, VALUE)
    if span is None:
        return None
    body = json.loads(one[span[0]:span[1]])
    body = body[0] if isinstance(body, list) else body
    body = body.get("function", body) if isinstance(body.get("function"), dict) else body
    names = [key for key, value in body.items() if value == NAME]
    others = [key for key, value in body.items() if KEY in _shown(value)]
    if not names or not others:
        return None
    parts = _Parts(one, *span, _between(said, bounds), {"keys": (names[0], others[0])})
    return parts.calls(said, "object")


def _named(one: str, said: Said) -> Calls | None:
    def bounds(text: str, name: str, value: str) -> tuple[int, int] | None:
        start = text.rindex(name)
        opened = text.find("{", start)
        try:
            found = json.JSONDecoder().raw_decode(text, opened) if opened >= 0 else ({}, 0)
        except ValueError:
            return None
        return (start, found[1]) if value in _shown(found[0]) else None

    span = bounds(one, NAME, VALUE)
    if span is None:
        return None
    first = one[span[0] + len(NAME):one.index("{", span[0])]
    return _Parts(one, *span, _between(said, bounds), {"first": first}).calls(said, "named")


def _paired(one: str, said: Said) -> Calls | None:
    two = said(Message("assistant", "", ({"name": NAME, "arguments": {KEY: VALUE, KEY2: VALUE2}},)))
    number = said(Message("assistant", "", ({"name": NAME, "arguments": {KEY: _NUMBER}},)))
    none = said(Message("assistant", "", ({"name": NAME, "arguments": {}},)))
    if not two or not number or any(one.count(sign) != 1 for sign in (KEY, VALUE)) or KEY2 not in two:
        return None
    between = one[one.index(KEY) + len(KEY):one.index(VALUE)]
    bare = number[number.index(KEY) + len(KEY):number.index(str(_NUMBER))] if str(_NUMBER) in number else between
    quote = between[len(bare):] if between.startswith(bare) else ""
    rest = one[one.index(VALUE) + len(VALUE):]
    bare_rest = number.rpartition(str(_NUMBER))[2]
    unquote = rest[:len(rest) - len(bare_rest)] if quote and rest.endswith(bare_rest) else ""
    again = two[two.index(VALUE) + len(VALUE):two.index(KEY2)].removeprefix(unquote)
    behind = _common(again, rest.removeprefix(unquote))

    def bounds(text: str, name: str, value: str) -> tuple[int, int] | None:
        return text.rindex(name), text.index(value) + len(value) + len(unquote)

    start = one.rindex(NAME)
    more = {"first": one[start + len(NAME):one.index(KEY)], "quotes": (quote, unquote),
            "pair": (bare if quote else between, behind, again[len(behind):]),
            "empty": none[none.rindex(NAME) + len(NAME):] if none and NAME in none else ""}
    end = one.index(VALUE) + len(VALUE) + len(unquote)
    return _Parts(one, start, end, _between(said, bounds), more).calls(said, "pairs")


def _proved(calls: Calls, said: Said) -> bool:
    """Whether a rendered call is read back as it was."""
    for call in _TRIALS:
        text = said(Message("assistant", "", (call,)))
        try:
            place = None if text is None else after(text, 0, calls.opening)
            found = None if text is None or place is None else calls.read(text, place, {})
        except Waiting:
            return False
        if not found or found[0] != [call]:
            return False
    return True
