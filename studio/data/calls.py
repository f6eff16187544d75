"""Calls of tools as a chat template spells them, read back from what a model says; `probes.py` learns the spelling."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Call = dict[str, Any]
_A_NAME = re.compile(r"[^\s<>\[\](){}\"'`,=|:]+")
_BARE_KEY = re.compile(r"([{,]\s*)([A-Za-z_]\w*)\s*:")


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
            bare = text[at:end].strip().replace(opened, '"').replace(closed, '"')
            return _literal(_BARE_KEY.sub(r'\1"\2":', bare)), end
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
    arguments: Any = next((said[key] for key in (keys[1], "arguments", "parameters") if key in said), {})
    if isinstance(arguments, str):
        arguments = _literal(arguments)
    return {"name": said[keys[0]], "arguments": arguments} if isinstance(arguments, dict) else None
