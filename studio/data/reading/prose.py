"""Rows out of running text: `{"text": …}` for each paragraph, or for each line when no blank line parts them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO

from studio.data.reading.encoding import MARK
from studio.data.reading.told import Told

_BLANK = re.compile(r"(?:\r\n|\n|\r)[ \t]*(?:\r\n|\n|\r)")
_FENCES = ("```", "~~~")


def has_paragraphs(sample: str) -> bool:
    """Whether blank lines part the text."""
    return bool(_BLANK.search(sample.strip()))


def rows(file: IO[str], paragraphs: bool, fences: bool, told: Told) -> Iterator[tuple[int, dict[str, str]]]:
    """Every paragraph or line with the line where it begins; a fenced block of code is never parted."""
    block: list[str] = []
    first = fence = 0
    for number, line in enumerate(file, 1):
        if not number & 255:
            told.here()
        if fences and line.lstrip().startswith(_FENCES):
            fence = not fence
        if not line.isspace() or fence:
            first = first if block else number
            block.append(line)
            if paragraphs or fence:
                continue
        if block:
            yield from _row(block, first, told)
            block = []
    if block:
        yield from _row(block, first, told)


def _row(block: list[str], line: int, told: Told) -> Iterator[tuple[int, dict[str, str]]]:
    text = "".join(block).strip("\r\n")
    if MARK in text:
        told.skip(line, "bad_bytes")
    elif "\0" in text:
        told.skip(line, "nul_bytes", str(text.count("\0")))
    else:
        yield line, {"text": text}
