"""Firefly's conversations: a list of human/assistant pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.plugins.formats import Unusable, words
from studio.plugins.formats._cells import SYSTEM, Row, first, kept, pictures, plain
from studio.plugins.formats._turns import in_order
from studio.sample import Message, Sample

ORDER = 20
KIND = "chat"
COLUMNS = ("messages", "system")
TURNS = ("conversation", "conversations", "messages")
SIDES = {"human", "assistant"}


def recognises(row: Row) -> bool:
    """Whether the row has a list of pairs."""
    value = row.get(first(TURNS, row) or "")
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict) and value[0].keys() >= SIDES


def columns_of(row: Row) -> dict[str, str]:
    """The roles of this row's columns."""
    return kept({"messages": first(TURNS, row), "system": first([SYSTEM], row)})


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name messages and system."""
    has_pictures = pictures(columns)
    system = columns.get("system") or ("" if columns else SYSTEM)

    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        pairs = row.get(columns.get("messages") or first(TURNS, row) or "")
        if not isinstance(pairs, list):
            raise Unusable("no_question" if pairs is None else "wrong_type")
        if has_pictures(row):
            raise Unusable("not_text")
        rules = words(row.get(system))
        messages = [Message("system", rules)] if rules.strip() else []
        for pair in pairs:
            if not isinstance(pair, dict) or not pair.keys() >= SIDES:
                raise Unusable("bad_roles")
            messages += [Message("user", words(pair["human"])), Message("assistant", words(pair["assistant"]))]
        return Sample(in_order(messages))

    return read


def write(sample: Sample) -> dict[str, Any]:
    """The row of a conversation without tools or thinking."""
    plain(sample)
    turns = [turn.content for turn in sample.messages if turn.role != "system"]
    pairs = [{"human": turns[place], "assistant": turns[place + 1]} for place in range(0, len(turns), 2)]
    row: dict[str, Any] = {"conversation": pairs}
    if sample.messages[0].role == "system":
        row["system"] = sample.messages[0].content
    return row
