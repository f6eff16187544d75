"""Cells of a row that several formats have: columns by their usual names, history, tools, pictures."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from studio.plugins.formats import Unusable, words
from studio.sample import Message, Sample

Row = Mapping[str, Any]
Tools = tuple[Mapping[str, Any], ...]
# The names that columns usually have, the likeliest first.
NAMES: dict[str, tuple[str, ...]] = {role: tuple(names) for role, names in json.loads(
    Path(__file__).with_name("names.json").read_text(encoding="utf-8")).items()}
INSTRUCTIONS, QUESTIONS, ANSWERS, MORE = (NAMES[role] for role in ("instructions", "questions", "answers", "more"))
SYSTEM, HISTORY, TOOLS, LABEL = "system", "history", "tools", "label"
PICTURES = ("images", "image", "videos", "video", "audios", "audio")
ORDERED_PAIR = 2


def first(names: Iterable[str], row: Row) -> str | None:
    """The column of the row that has one of these names, the earlier name first, capital letters aside."""
    for name in names:
        if name in row:
            return name
    plain = {str(column).strip().lower(): column for column in row}
    return next((plain[name] for name in names if name in plain), None)


def all_named(names: Iterable[str], row: Row) -> list[str]:
    """Every column of the row that has one of these names."""
    plain = {str(column).strip().lower(): column for column in row}
    return [plain[name] for name in names if name in plain]


def kept(found: Mapping[str, str | None]) -> dict[str, str]:
    """Those roles for which there is a column."""
    return {role: column for role, column in found.items() if column is not None}


def is_text(value: Any) -> bool:
    """Whether a cell is words or a figure, or nothing."""
    return value is None or (isinstance(value, str | int | float) and not isinstance(value, bool))


def history_of(value: Any) -> list[Message]:
    """Earlier turns: a list of [question, answer] pairs, also spelled as JSON."""
    value = parsed(value, "wrong_type") if isinstance(value, str) else value
    if not value:
        return []
    if not isinstance(value, list):
        raise Unusable("wrong_type")
    found = []
    for pair in value:
        if not isinstance(pair, list | tuple) or len(pair) != ORDERED_PAIR:
            raise Unusable("wrong_type")
        question, answer = words(pair[0]), words(pair[1])
        if not question.strip():
            raise Unusable("no_question")
        if not answer.strip():
            raise Unusable("empty_answer")
        found += [Message("user", question), Message("assistant", answer)]
    return found


def tools_of(value: Any) -> Tools:
    """The functions in a cell: a list of them, or its JSON; each as {"type": "function", "function": its schema}."""
    value = parsed(value, "bad_tools") if isinstance(value, str) else value
    if not value:
        return ()
    value = [value] if isinstance(value, dict) else value
    if not isinstance(value, list):
        raise Unusable("bad_tools")
    found = []
    for one in value:
        schema = one.get("function", one) if isinstance(one, dict) else None
        if not isinstance(schema, dict) or not isinstance(schema.get("name"), str):
            raise Unusable("bad_tools")
        found.append({"type": "function", "function": schema})
    return tuple(found)


def parsed(value: str, reason: str) -> Any:
    """The JSON in a cell, None in an empty one; Unusable with the reason when it is none."""
    if not value.strip():
        return None
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise Unusable(reason) from None


def pictures(columns: Mapping[str, str]) -> Callable[[Row], bool]:
    """A function that says whether a row holds pictures or sound besides its words."""
    mapped = tuple(columns[role] for role in PICTURES if columns.get(role))
    names = mapped or (() if columns else PICTURES)

    def has(row: Row) -> bool:
        return any(name in row and row[name] for name in names)

    return has


def plain(sample: Sample, most_turns: int | None = None) -> None:
    """Raise Unusable when a sample has what only richer formats can hold: tools, thinking, pairs, ratings, choices."""
    if sample.kind != "chat":
        raise Unusable(f"lost_{sample.kind}")
    if sample.tools or any(turn.tool_calls or turn.role == "tool" for turn in sample.messages):
        raise Unusable("lost_tools")
    if any(turn.thinking for turn in sample.messages):
        raise Unusable("lost_thinking")
    if sample.choices:
        raise Unusable("lost_choices")
    if most_turns is not None and sum(turn.role != "system" for turn in sample.messages) > most_turns:
        raise Unusable("lost_turns")
