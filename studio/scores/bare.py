"""Rows that ask without an answer: good enough to be answered, though nothing can be learned from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from studio.data import recognise
from studio.data.catalogue import Entry
from studio.errors import InputError
from studio.plugins.formats import Unusable
from studio.plugins.formats._cells import NAMES
from studio.sample import Message, Sample

REASONS = ("no_answer", "empty_answer", "no_question", "unrecognised", "not_an_object")
_ANSWER = "\ue000answer\ue000"
_TALKS = {"messages": ("role", "content", "user", "assistant"), "conversations": ("from", "value", "human", "gpt")}
_LAST = "output"


class Bare:
    """Understands rows of one dataset whose answer is missing."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._readers: dict[tuple[str, ...], Callable[[Any], Sample] | None] = {}

    def sample(self, row: Any) -> Sample | None:
        """The row with an empty answer; None where it asks nothing."""
        if isinstance(row, str):
            return Sample((Message("user", row.strip()), Message("assistant", ""))) if row.strip() else None
        filled = _filled(row) if isinstance(row, Mapping) else None
        reader = self._reader(filled) if filled is not None else None
        try:
            found = reader(filled) if reader is not None else None
        except Unusable:
            return None
        if not isinstance(found, Sample) or not found.messages or found.messages[-1].content.strip() != _ANSWER:
            return None
        return replace(found, messages=(*found.messages[:-1], Message("assistant", "")))

    def _reader(self, row: Mapping[str, Any]) -> Callable[[Any], Sample] | None:
        key = tuple(row)
        if key not in self._readers:
            try:
                self._readers[key] = recognise.reader(self._entry, [row])
            except InputError:
                self._readers[key] = None
        return self._readers[key]


def _filled(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with a mark in the place of its answer."""
    for name, (role, content, asking, answering) in _TALKS.items():
        turns = row.get(name)
        if isinstance(turns, list) and turns and isinstance(turns[-1], Mapping):
            if turns[-1].get(role) not in ("user", asking):
                return dict(row)
            speaker = answering if turns[-1].get(role) == asking else "assistant"
            return {**row, name: [*turns, {role: speaker, content: _ANSWER}]}
    empty = [name for name in NAMES["answers"] if name in row and not str(row[name] or "").strip()]
    return {**row, empty[0] if empty else _LAST: _ANSWER}
