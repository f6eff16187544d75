"""ADGEN's advertisements: the goods' features in `content`, the advertisement in `summary`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from studio.plugins.formats import alpaca
from studio.plugins.formats._cells import Row, is_text
from studio.sample import Sample

ORDER = 35
KIND = "chat"
COLUMNS = ("prompt", "response")


def recognises(row: Row) -> bool:
    """Whether the row has both columns."""
    return "content" in row and "summary" in row and is_text(row["content"]) and is_text(row["summary"])


def columns_of(row: Row) -> dict[str, str]:
    """The two columns."""
    return {"prompt": "content", "response": "summary"}


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name prompt and response."""
    return alpaca.reader(columns or {"prompt": "content", "response": "summary"})
