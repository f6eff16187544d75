"""How a chat template spells calls of tools, learned from what it renders, and how to read them back.

A template is rendered with calls whose names, keys and values are marks; what stands around the marks is how it spells
them. Three spellings are known: an object with name and arguments, a name in front of an object of arguments, and a
name in front of pairs of key and value. What was learned is tried on a rendered call before it is trusted.
"""

from __future__ import annotations

import ast
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.data.turns import CLOSE, OPEN, mark
from studio.sample import Message

Call = dict[str, Any]
Said = Callable[[Message], str | None]
NAME, KEY, VALUE, KEY2, VALUE2, NAME2 = (mark(f"call.{one}") for one in "nkvlwm")
_NUMBER = 73501937
_A_NAME = re.compile(r"[^\s<>\[\](){}\"'`,=|:]+")
_ONE: Call = {"name": NAME, "arguments": {KEY: VALUE}}


class Waiting(Exception):
    """The text ends where a call might go on."""


@dataclass(frozen=True, slots=True)
class Calls:
    """One spelling: what opens a call, how name and arguments stand in it, what ends it and what leads to the next.

    `trigger` opens a call anywhere in an answer, "" where a call has no opening of its own; `inner` opens one behind
    words, `space` is the white space that then stands between them. `first` stands between name and arguments,
    `pair` are (behind a key, behind a value, before the next key); `quotes` stand around a value that is a text.
    """

    opening: str
    ending: str
    again: str
    closing: str
    kind: str
    first: str = ""
    pair: tuple[str, str, str] = ("", "", "")
    quotes: tuple[str, str] = ("", "")
    empty: str = ""
    inner: str = ""
    space: str = ""
    keys: tuple[str, str] = ("name", "arguments")

    @property
    def trigger(self) -> str:
        """What opens a call, without the white space around it."""
        return self.opening.strip()

    @property
    def literals(self) -> tuple[str, ...]:
        """Everything that the template writes around names and arguments."""
        return self.opening, self.ending, self.again, self.closing, self.first, *self.pair, *self.quotes, self.inner

    def read(self, text: str, at: int, tools: Mapping[str, Any]) -> tuple[list[Call], int] | None:
        """The calls whose bodies begin at a place and where their ends stand, None when there is none.

        Raises Waiting when more text could make one.
        """
        at = spaces(text, at)
        if self.kind == "object":
            return self._objects(text, at)
        found = _A_NAME.match(text, at)
        if found is None:
            if at >= len(text):
                raise Waiting
            return None
        if found.end() == len(text):
            raise Waiting
        name, at = found[0], found.end()
        if self.kind == "named":
            start = after(text, at, self.first)
            value = None if start is None else _json_at(text, spaces(text, start))
            return None if value is None or not isinstance(value[0], dict) \
                else ([{"name": name, "arguments": value[0]}], value[1])
        return self._pairs(text, at, name, tools)

    def _objects(self, text: str, at: int) -> tuple[list[Call], int] | None:
        found = _json_at(text, at)
        if found is None:
            return None
        calls = [_call(one, self.keys) for one in (found[0] if isinstance(found[0], list) else [found[0]])]
        return ([one for one in calls if one], found[1]) if calls and all(calls) else None

    def _pairs(self, text: str, at: int, name: str, tools: Mapping[str, Any]) -> tuple[list[Call], int] | None:
        between, behind, again = self.pair
        arguments: dict[str, Any] = {}
        none = after(text, at, self.empty) if self.empty else None
        place = after(text, at, self.first)
        if place is None and none is None:
            return None
        if place is None or (none is not None and none >= place and not _A_NAME.match(text, spaces(text, place))):
            return [{"name": name, "arguments": {}}], _end_of(text, at, self.empty, self.ending)
        while True:
            key = _A_NAME.match(text, spaces(text, place))
            if key is None or key.end() == len(text):
                if key is not None or spaces(text, place) == len(text):
                    raise Waiting
                return None
            start = after(text, key.end(), between.rstrip() or between)
            if start is None:
                return None
            value, place = self._value(text, start, between[len(between.rstrip()):], _kind(tools, name, key[0]))
            arguments[key[0]] = value
            ended = after(text, place, behind)
            if ended is None:
                return None
            nearer = after(text, ended, again)
            if nearer is None:
                return [{"name": name, "arguments": arguments}], place if behind else ended
            place = nearer

    def _value(self, text: str, at: int, space: str, kind: str) -> tuple[Any, int]:
        """A value and where it ends."""
        opened, closed = self.quotes
        if opened in ("'", '"'):
            end = _literal_end(text, spaces(text, at))
            return _literal(text[at:end].strip()), end
        if opened and text.startswith(opened, at):
            end = text.find(closed, at + len(opened))
            if end < 0:
                raise Waiting
            return text[at + len(opened):end], end + len(closed)
        if opened and opened.startswith(text[at:]):
            raise Waiting
        if opened:
            end = _literal_end(text, at)
            return _literal(text[at:end].strip()), end
        stop = self.pair[1]
        core = stop.strip()
        end = text.find(core, at)
        if end < 0:
            raise Waiting
        raw = text[at:end].removeprefix(space).removesuffix(stop[:len(stop) - len(stop.lstrip())])
        return (raw if kind == "string" else _told(raw)), end


def spaces(text: str, at: int) -> int:
    """The next place that is no white space."""
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def after(text: str, at: int, literal: str) -> int | None:
    """Where a literal that begins at a place ends, however much white space there is in it; None when it is not there.

    Raises Waiting when the text ends within it.
    """
    for word in literal.split():
        at = spaces(text, at)
        if not text.startswith(word, at):
            if word.startswith(text[at:]):
                raise Waiting
            return None
        at += len(word)
    return at



def _end_of(text: str, at: int, empty: str, ending: str) -> int:
    """Where the body of a call without arguments ends: before what ends every call."""
    end = after(text, at, empty)
    assert end is not None
    words = ending.split()
    for word in reversed(words):
        end = text.rfind(word, at, end)
    return end if words else (after(text, at, empty) or at)


def _json_at(text: str, at: int) -> tuple[Any, int] | None:
    """The object or list of objects that begins at a place; raises Waiting when it has not ended."""
    if at >= len(text):
        raise Waiting
    if text[at] not in "{[":
        return None
    end = _literal_end(text, at, one=True)
    try:
        return json.loads(text[at:end], strict=False), end
    except ValueError:
        return None


def _literal_end(text: str, at: int, one: bool = False) -> int:
    """Where a value ends that was begun at a place: at a comma or bracket outside of its own; quotes are respected.

    With `one` it ends with the bracket that closes its first.
    """
    depth, place = 0, at
    while place < len(text):
        sign = text[place]
        if sign in "\"'" and not (one and sign == "'"):
            place += 1
            while place < len(text) and text[place] != sign:
                place += 1 + (text[place] == "\\")
            if place >= len(text):
                raise Waiting
        elif sign in "([{":
            depth += 1
        elif sign in ")]}":
            if depth == 0:
                return place
            depth -= 1
            if one and depth == 0:
                return place + 1
        elif sign == "," and depth == 0:
            return place
        place += 1
    raise Waiting


def _literal(text: str) -> Any:
    """A value as JSON or Python writes it, else the text itself."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    return text


def _told(raw: str) -> Any:
    """A value that is written bare: JSON's kinds, Python's words for three of them, or a text."""
    try:
        value = json.loads(raw)
    except ValueError:
        return {"True": True, "False": False, "None": None}.get(raw, raw)
    return raw if isinstance(value, str) else value


def _kind(tools: Mapping[str, Any], name: str, key: str) -> str:
    """The type that a tool's schema gives a parameter."""
    schema = (tools.get(name) or {}).get("parameters") or {}
    said = (schema.get("properties") or {}).get(key)
    return str(said.get("type", "")) if isinstance(said, Mapping) else ""


def _call(said: Any, keys: tuple[str, str]) -> Call | None:
    """The call in an object; its arguments may be given as JSON."""
    if isinstance(said, dict) and isinstance(said.get("function"), dict):
        said = said["function"]
    if not isinstance(said, dict) or not isinstance(said.get(keys[0]), str):
        return None
    arguments = next((said[key] for key in (keys[1], "arguments", "parameters") if key in said), {})
    if isinstance(arguments, str):
        arguments = _literal(arguments)
    return {"name": said[keys[0]], "arguments": arguments} if isinstance(arguments, dict) else None


# ---- learning ----

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
            ending = os.path.commonprefix([self.between, rest])
            again, closing = self.between[len(ending):], rest[len(ending):]
        return Calls(opening, ending, again, closing, kind, inner=inner, space=space, **self.more)


def _between(said: Said, bounds: Callable[[str, str, str], tuple[int, int] | None]) -> str:
    """What stands between the bodies of two calls."""
    both = said(Message("assistant", "", (_ONE, {"name": NAME2, "arguments": {KEY2: VALUE2}})))
    if not both or NAME not in both or NAME2 not in both:
        return ""
    first, second = bounds(both, NAME, VALUE), bounds(both, NAME2, VALUE2)
    return both[first[1]:second[0]] if first and second else ""


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
    quote = between[len(os.path.commonprefix([between, bare])):] if between.startswith(bare) else ""
    rest = one[one.index(VALUE) + len(VALUE):]
    bare_rest = number.rpartition(str(_NUMBER))[2]
    unquote = rest[:len(rest) - len(bare_rest)] if quote and rest.endswith(bare_rest) else ""
    again = two[two.index(VALUE) + len(VALUE):two.index(KEY2)].removeprefix(unquote)
    behind = os.path.commonprefix([again, rest.removeprefix(unquote)])
    if "<" in behind:  # a sign is not cut in two
        behind = behind[:behind.rindex(">") + 1] if ">" in behind else ""

    def bounds(text: str, name: str, value: str) -> tuple[int, int] | None:
        return text.rindex(name), text.index(value) + len(value) + len(unquote)

    start = one.rindex(NAME)
    more = {"first": one[start + len(NAME):one.index(KEY)], "quotes": (quote, unquote),
            "pair": (bare if quote else between, behind, again[len(behind):]),
            "empty": none[none.rindex(NAME) + len(NAME):] if none and NAME in none else ""}
    return _Parts(one, *bounds(one, NAME, VALUE), _between(said, bounds), more).calls(said, "pairs")


_TRIALS: Sequence[Call] = ({"name": "look_up", "arguments": {"a": "x y", "b": 3}},
                           {"name": "look", "arguments": {"text": "\u4f60 \"q\" {"}})


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
