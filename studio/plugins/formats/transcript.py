"""Texts that are conversations: `User: …` and `Bot: …` line by line, one conversation a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from studio.plugins.formats._cells import Row, first
from studio.plugins.formats._dialogue import is_dialogue, turns_in
from studio.plugins.formats._turns import in_order
from studio.plugins.formats.text import TEXTS, columns_of, teller
from studio.sample import Sample

__all__ = ["COLUMNS", "KIND", "ORDER", "columns_of", "reader", "recognises"]
ORDER = 70
KIND = "chat"
COLUMNS = ("prompt",)


def recognises(row: Row) -> bool:
    """Whether the row's text is a question and at least one answer."""
    text = row.get(first(TEXTS, row) or "")
    return isinstance(text, str) and is_dialogue(text, turns=2)


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name prompt."""
    text_of = teller(columns)

    def read(row: Row) -> Sample:
        return Sample(in_order(turns_in(text_of(row))))

    return read
