"""Plain text to go on learning a language from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.plugins.formats import Unusable, words
from studio.plugins.formats._cells import NAMES, Row, first, kept
from studio.sample import Sample

ORDER = 80
KIND = "text"
COLUMNS = ("prompt",)
TEXTS = NAMES["texts"]


def recognises(row: Row) -> bool:
    """Whether the row has a column of text."""
    return isinstance(row.get(first(TEXTS, row) or ""), str)


def columns_of(row: Row) -> dict[str, str]:
    """The column of the text, under the role that the older catalogues give it."""
    return kept({"prompt": first(TEXTS, row)})


def teller(columns: Mapping[str, str]) -> Callable[[Row], str]:
    """The function that gives a row's text; `columns` may name prompt. It raises Unusable not_an_object or no_text."""
    said = columns.get("prompt")

    def text_of(row: Row) -> str:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        text = words(row.get(said or first(TEXTS, row) or ""))
        if not text.strip():
            raise Unusable("no_text")
        return text

    return text_of


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name prompt."""
    text_of = teller(columns)

    def read(row: Row) -> Sample:
        return Sample((), text=text_of(row))

    return read


def write(sample: Sample) -> dict[str, Any]:
    """The row of a text."""
    if sample.kind != "text":
        raise Unusable(f"lost_{sample.kind}")
    return {"text": sample.text}
