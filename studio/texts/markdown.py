"""Markdown from values: what stands in a line, a cell or a fence is shown as it is and does nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_FENCE = re.compile(r"`{3,}")


def inline(text: str) -> str:
    """A text in a line or a cell, with nothing that Markdown or HTML would act upon."""
    text = re.sub(r"([\\`*_\[\]|<>])", r"\\\1", " ".join(text.split()))
    return text.replace("&", "&amp;")


def code(value: Any) -> str:
    """A value in a line as code."""
    text = " ".join(str(value).split())
    return f"`{text}`" if text and "`" not in text and "|" not in text else inline(text)


def fenced(text: str, kind: str = "", most: int | None = None) -> Iterator[str]:
    """The lines of a text in a fence longer than any in it, cut after `most` characters."""
    text = text if most is None or len(text) <= most else f"{text[:most]}…"
    marks = "`" * max([3, *(len(found) + 1 for found in _FENCE.findall(text))])
    yield from (f"{marks}{kind}", text, marks)


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """The lines of a table; its cells are Markdown already."""
    yield f"| {' | '.join(heads)} |"
    yield "|" + " --- |" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"
