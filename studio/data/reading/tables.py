"""Rows out of text tables (csv, tsv): which sign parts the cells, whether they are quoted, and what is no row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any

from studio.data.reading.encoding import MARK
from studio.data.reading.told import Told

SAMPLE = 1 << 18
LONGEST_CELL = 256 << 20
# Questions of several choices are handed on without a line of names, as MMLU's are.
CHOICES = ("question", "A", "B", "C", "D", "answer")


@dataclass(frozen=True)
class Spelling:
    """How a table is written; `share` of its first rows have as many cells as the first one, which has `width`.

    `wrong` of those `rows` are no rows at all in this spelling.
    """

    delimiter: str = ","
    quoted: bool = True
    header: bool = True
    width: int = 1
    share: float = 0.0
    rows: int = 0
    wrong: int = 0

    @property
    def is_sure(self) -> bool:
        """Whether this can hardly be anything but a table."""
        return self.width > 1 and self.rows > 1 and self.share >= 0.9


def recognised(sample: str, suffix: str, whole: bool) -> Spelling:
    """The spelling in which the first rows fit best; `whole` when the sample is all there is.

    Quotation marks are taken for letters only where they make no sense as marks.
    """
    if not whole:
        sample = sample[:max(sample.rfind("\n"), sample.rfind("\r")) + 1] or sample
    signs = ["\t", ",", ";", "|"] if suffix == ".tsv" else [",", "\t", ";", "|"]
    tried = [_tried(sample, sign, True) for sign in signs]
    tried += [_tried(sample, one.delimiter, False) for one in tried if one.wrong]
    best = max((one for one in tried if one.width > 1), key=lambda one: round(one.share, 2), default=None)
    return best or Spelling(signs[0])


def rows(file: IO[str], spelling: Spelling, told: Told) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every row by its names, with the line where it begins; cells that a row lacks at its end are None."""
    reader, ended, width = _reader(file, spelling), 0, 0
    names: Sequence[str] = () if spelling.header else CHOICES
    count = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            line, ended = ended + 1, reader.line_num
            open_quote = str(error).startswith("unexpected end")
            told.skip(line, "open_quote" if open_quote else "broken_line", str(ended - line + 1) if open_quote else
                      str(error))
            continue
        line, ended = ended + 1, reader.line_num
        if not cells:
            continue
        if not names:
            names = distinct(cells)
            width = len(names)
            continue
        count += 1
        if not count & 255:
            told.here()
        width = width or len(names)
        if len(cells) != width:
            if any(cell.strip() for cell in cells[width:]):
                told.skip(line, "surplus_cells", str(len(cells)))
                continue
            cells = [*cells[:width], *[None] * (width - len(cells))]  # type: ignore[list-item]
        if any(cell and (MARK in cell or "\0" in cell) for cell in cells):
            told.skip(line, "bad_bytes" if any(cell and MARK in cell for cell in cells) else "nul_bytes")
            continue
        yield line, dict(zip(names, cells))


def _reader(file: Any, spelling: Spelling) -> Any:
    csv.field_size_limit(LONGEST_CELL)
    quoting: Any = csv.QUOTE_MINIMAL if spelling.quoted else csv.QUOTE_NONE
    return csv.reader(file, delimiter=spelling.delimiter, quoting=quoting, strict=spelling.quoted)


def _tried(sample: str, sign: str, quoted: bool) -> Spelling:
    reader = _reader(io.StringIO(sample, newline=""), Spelling(sign, quoted))
    widths: list[int] = []
    last: list[str] = []
    wrong = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error:
            wrong += 1
            continue
        if cells:
            while widths and len(cells) > widths[0] and not cells[-1]:
                cells.pop()
            widths.append(len(cells))
            last.append(cells[-1].strip())
    if not widths:
        return Spelling(sign, quoted)
    width = widths[0]
    choices = width == len(CHOICES) and all(one in ("A", "B", "C", "D") for one in last[:2])
    count = len(widths) + wrong
    return Spelling(sign, quoted, not choices, width, widths.count(width) / count, count, wrong)


def distinct(cells: list[str]) -> list[str]:
    """The names of the columns; one that stands there again gets a number."""
    names: list[str] = []
    for cell in cells:
        name, times = cell.strip(), 1
        while (name if times == 1 else f"{name}_{times}") in names:
            times += 1
        names.append(name if times == 1 else f"{name}_{times}")
    return names
