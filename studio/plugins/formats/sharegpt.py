"""Whole conversations as ShareGPT writes them (from/value), with LLaMA-Factory's tags, tools and function calls."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from studio.plugins.formats import Unusable, words
from studio.plugins.formats._cells import SYSTEM, TOOLS, Row, first, kept, pictures, tools_of
from studio.plugins.formats._turns import COLUMNS as TURNS
from studio.plugins.formats._turns import in_order, turns
from studio.sample import Message, Sample

ORDER = 30
KIND = "chat"
COLUMNS = ("messages", "system", "tools")
NAMES = {"system": "system", "user": "human", "assistant": "gpt", "tool": "observation"}


def recognises(row: Row) -> bool:
    """Whether the row has a list of turns."""
    return isinstance(row.get(first(TURNS, row) or ""), list)


def columns_of(row: Row) -> dict[str, str]:
    """The roles of this row's columns."""
    return kept({"messages": first(TURNS, row), "system": first([SYSTEM], row), "tools": first([TOOLS], row)})


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name messages, system and tools, `tags` the keys and role words of a turn."""
    opened = opener(columns, tags)

    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        messages, tools = opened(row)
        return Sample(in_order(messages), tools=tools)

    return read


def opener(columns: Mapping[str, str], tags: Mapping[str, str],
           ) -> Callable[[Row], tuple[list[Message], tuple[Mapping[str, Any], ...]]]:
    """The function that reads a row's turns, in whatever order they are, with its system words and tools."""
    read_turns = turns(tags)
    said = columns.get("messages")
    system, tools = (columns.get(role) or ("" if columns else name)
                     for role, name in (("system", SYSTEM), ("tools", TOOLS)))
    has_pictures = pictures(columns)

    def opened(row: Row) -> tuple[list[Message], tuple[Mapping[str, Any], ...]]:
        column = said or first(TURNS, row)
        if column is None or row.get(column) is None:
            raise Unusable("no_question")
        if has_pictures(row):
            raise Unusable("not_text")
        messages = read_turns(row[column])
        if system in row and (rules := words(row[system])).strip() and not (
                messages and messages[0].role == "system"):
            messages.insert(0, Message("system", rules))
        return messages, tools_of(row[tools]) if tools in row else ()

    return opened


def write(sample: Sample) -> dict[str, Any]:
    """The row of a conversation; thinking has no place in it."""
    if sample.kind != "chat":
        raise Unusable(f"lost_{sample.kind}")
    if sample.choices:
        raise Unusable("lost_choices")
    row: dict[str, Any] = {"conversations": spelled(sample.messages)}
    if sample.tools:
        row["tools"] = json.dumps([one["function"] for one in sample.tools], ensure_ascii=False)
    return row


def spelled(messages: tuple[Message, ...]) -> list[dict[str, str]]:
    """Turns as ShareGPT writes them."""
    found = []
    for turn in messages:
        if turn.thinking:
            raise Unusable("lost_thinking")
        if turn.content or not turn.tool_calls:
            found.append({"from": NAMES[turn.role], "value": turn.content})
        if turn.tool_calls:
            made: Any = list(turn.tool_calls) if len(turn.tool_calls) > 1 else turn.tool_calls[0]
            found.append({"from": "function_call", "value": json.dumps(made, ensure_ascii=False)})
    return found
