"""Whole conversations as OpenAI writes them: role/content, parts, tool calls, reasoning."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.plugins.formats import Unusable, sharegpt
from studio.plugins.formats._cells import Row, first
from studio.plugins.formats._turns import COLUMNS as TURNS
from studio.plugins.formats._turns import spelled
from studio.sample import Sample

ORDER = 28
KIND = "chat"
COLUMNS = sharegpt.COLUMNS
columns_of = sharegpt.columns_of


def recognises(row: Row) -> bool:
    """Whether the row has a list of turns with roles."""
    value = row.get(first(TURNS, row) or "")
    return isinstance(value, list) and bool(value) and all(isinstance(one, dict) and "role" in one for one in value)


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name messages, system and tools, `tags` the keys and role words of a turn."""
    return sharegpt.reader(columns, {"role_tag": "role", "content_tag": "content", **tags})


def write(sample: Sample) -> dict[str, Any]:
    """The row of any conversation."""
    if sample.kind != "chat":
        raise Unusable(f"lost_{sample.kind}")
    if sample.choices:
        raise Unusable("lost_choices")
    row: dict[str, Any] = {"messages": [spelled(turn) for turn in sample.messages]}
    if sample.tools:
        row["tools"] = list(sample.tools)
    return row
