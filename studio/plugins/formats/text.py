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


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name prompt."""
    said = columns.get("prompt")

    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        text = words(row.get(said or first(TEXTS, row) or ""))
        if not text.strip():
            raise Unusable("no_text")
        return Sample((), text=text)

    return read


def write(sample: Sample) -> dict[str, Any]:
    """The row of a text."""
    if sample.kind != "text":
        raise Unusable(f"lost_{sample.kind}")
    return {"text": sample.text}
