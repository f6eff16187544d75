"""Quick scans for the places of rows: JSON lines, an array of JSON objects, a table; none of them keeps a row."""

from __future__ import annotations

import codecs
import csv
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from studio.data.reading import tables
from studio.data.reading.told import Told
from studio.errors import InputError

CHUNK = 4 << 20
NEWLINE, RETURN, QUOTE, BACKSLASH, COMMA = b'\n\r"\\,'
OPENING, CLOSING = b"{[", b"}]"
At = Callable[[int], None]


@dataclass(frozen=True)
class Places:
    """First byte, byte after the last, and line (from 1) of every row of a file; int64."""

    starts: np.ndarray
    ends: np.ndarray
    lines: np.ndarray


def of_lines(path: Path, at: At) -> Places | None:
    """The places of JSON lines; lines that say nothing are none. None when lines end as only Macs of old end them."""
    ends, odd, count = [], [], 0
    with open(path, "rb") as file:
        begin = _after_mark(file)
        position, fresh = begin, True
        while chunk := _read(file):
            bytes_ = np.frombuffer(chunk, np.uint8)
            if _lone_returns(bytes_):
                return None
            found = np.flatnonzero(bytes_ == NEWLINE)
            firsts = found[:-1] + 1 if len(found) and found[-1] == len(bytes_) - 1 else found + 1
            numbers = np.arange(count + 1, count + 1 + len(firsts))
            if fresh:
                firsts, numbers = np.concatenate([[0], firsts]), np.concatenate([[count], numbers])
            odd.append(numbers[~np.isin(bytes_[firsts], list(OPENING))])
            ends.append(found + position)
            fresh, count = bool(chunk.endswith(b"\n")), count + len(found)
            position += len(chunk)
            at(position)
        stops = np.concatenate([*ends, [position]] if not fresh else [*ends, np.zeros(0, np.int64)]).astype(np.int64)
        starts = np.concatenate([[begin], stops[:-1] + 1]).astype(np.int64)[:len(stops)]
        numbers = np.arange(1, len(stops) + 1)
        says = np.ones(len(stops), bool)
        for number in np.concatenate([*odd, np.zeros(0, np.int64)]).astype(np.int64):
            file.seek(starts[number])
            line = file.read(stops[number] - starts[number])
            says[number] = bool(line.removeprefix(codecs.BOM_UTF8).strip())
    return Places(starts[says], stops[says], numbers[says])


def _read(file: IO[bytes]) -> bytes:
    """Some megabytes that do not end between a carriage return and its newline."""
    chunk = file.read(CHUNK)
    return chunk + file.read(1) if chunk.endswith(b"\r") else chunk


def _after_mark(file: IO[bytes]) -> int:
    """Step over the byte order mark, and how long it is."""
    begin = len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 else 0
    file.seek(begin)
    return begin


def _lone_returns(chunk: np.ndarray) -> bool:
    """Whether a carriage return stands without a newline behind it; one at the very end is let pass."""
    found = np.flatnonzero(chunk[:-1] == RETURN)
    return bool(len(found)) and bool((chunk[found + 1] != NEWLINE).any())


def of_array(path: Path, at: At) -> Places | None:
    """The places of the objects in a JSON array in UTF-8; None for anything but an array of objects that ends."""
    scan = _ArrayScan()
    with open(path, "rb") as file:
        position = _after_mark(file)
        while chunk := _read(file):
            if not scan.feed(np.frombuffer(chunk, np.uint8), position):
                return None
            position += len(chunk)
            at(position)
    return scan.places()


class _ArrayScan:
    """Brackets, quotes and commas of a JSON text in UTF-8, a chunk at a time."""

    def __init__(self) -> None:
        self.depth = self.lines = self.commas = 0
        self.quoted = self.escaped = self.begun = False
        self.starts: list[np.ndarray] = []
        self.ends: list[np.ndarray] = []
        self.at_lines: list[np.ndarray] = []
        self.kinds = np.zeros(256, np.int8)
        self.kinds[list(OPENING)], self.kinds[list(CLOSING)], self.kinds[COMMA] = 1, -1, 2

    def feed(self, chunk: np.ndarray, position: int) -> bool:
        """Read on; False when this is no array of objects."""
        if _lone_returns(chunk):
            return False
        quotes = self._quotes(chunk)
        signs = np.flatnonzero(self.kinds[chunk])
        signs = signs[(np.searchsorted(quotes, signs) + self.quoted) % 2 == 0]
        kinds = self.kinds[chunk[signs]]
        depths = self.depth + np.cumsum(np.where(kinds == 2, 0, kinds))
        newlines = np.flatnonzero(chunk == NEWLINE)
        opened = signs[(kinds == 1) & (depths == 2)]
        self.starts.append(opened + position)
        self.at_lines.append(np.searchsorted(newlines, opened) + self.lines + 1)
        self.ends.append(signs[(kinds == -1) & (depths == 1)] + position + 1)
        self.commas += int(((kinds == 2) & (depths == 1)).sum())
        self.lines += len(newlines)
        self.quoted = bool((len(quotes) + self.quoted) % 2)
        if not len(signs):
            return True
        an_array = self.depth > 0 if self.begun else chunk[signs[0]] == OPENING[1]
        self.begun, self.depth = True, int(depths[-1])
        return bool(an_array and (depths[:-1] > 0).all() and depths[-1] >= 0)

    def places(self) -> Places | None:
        """What was found when the text ended as an array of objects ends."""
        starts, ends, lines = (np.concatenate([np.zeros(0, np.int64), *some])
                               for some in (self.starts, self.ends, self.at_lines))
        whole = self.begun and not (self.depth or self.quoted) and len(starts) == len(ends)
        return Places(starts, ends, lines) if whole and self.commas == max(0, len(starts) - 1) else None

    def _quotes(self, chunk: np.ndarray) -> np.ndarray:
        """The quotation marks that open or close a text."""
        quotes = np.flatnonzero(chunk == QUOTE)
        slashes = np.flatnonzero(chunk == BACKSLASH)
        carried, self.escaped = self.escaped, False
        escaped = [0] if carried and chunk[0] != BACKSLASH else []
        if len(slashes):
            order = np.arange(len(slashes))
            fresh = np.diff(slashes, prepend=-2) != 1
            within = order - np.maximum.accumulate(np.where(fresh, order, 0))
            if carried and slashes[0] == 0:
                run = int(np.argmax(fresh[1:])) + 1 if fresh[1:].any() else len(slashes)
                within[:run] += 1
            behind = slashes[within % 2 == 0] + 1
            self.escaped = bool(len(behind)) and int(behind[-1]) == len(chunk)
            escaped = np.concatenate([escaped, behind])
        if not len(escaped):
            return quotes
        return quotes[~np.isin(quotes, np.asarray(escaped, np.int64), assume_unique=True)]


def of_table(path: Path, spelling: dict[str, Any], at: At) -> Places | None:
    """The places of a table's rows, None for lines with unusual ends; `spelling` gets the lines of its header."""
    starts, ends, numbers = list[int](), list[int](), list[int]()
    with open(path, "rb") as file:
        text = _Text(file, spelling["encoding"])
        head = list[str]()
        heard = Heard()

        def row(line: int, *why: str) -> None:
            starts.append(ends[-1] if ends else begin)
            ends.append(text.consumed)
            numbers.append(line)

        heard.skip, heard.here = row, lambda: at(text.consumed)  # type: ignore[method-assign, assignment]
        try:
            if spelling["header"]:
                head = _header(text, table(spelling))
            begin, spelling["head"] = text.consumed, head
            file_ = cast(IO[str], itertools.chain(head, text))
            for line, _ in tables.rows(file_, table(spelling), cast(Told, heard)):
                row(line)
        except (_UnusualEnd, csv.Error):
            return None
    return Places(*(np.array(one, np.int64) for one in (starts, ends, numbers)))


class _UnusualEnd(Exception):
    """A carriage return stands alone in a line."""


class _Text:
    """The lines of a table, and how many bytes lie behind."""

    def __init__(self, file: IO[bytes], encoding_: str) -> None:
        self.file, self.encoding, self.consumed = file, encoding_, _after_mark(file)

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            if b"\r" in line.rstrip(b"\r\n"):
                raise _UnusualEnd
            self.consumed += len(line)
            yield line.decode(self.encoding, "studio.mark")


def _header(text: _Text, table: tables.Spelling) -> list[str]:
    """The lines up to the end of the first record that says something."""
    head = list[str]()

    def remembered() -> Iterator[str]:
        for line in text:
            head.append(line)
            yield line

    next(filter(None, tables._reader(remembered(), table)), None)
    return head


def table(spelling: dict[str, Any]) -> tables.Spelling:
    """How a table is written, out of what the index remembers."""
    return tables.Spelling(spelling["delimiter"], spelling["quoted"], spelling["header"])


class Heard:
    """Hears why a row is none."""

    name, why = "", ""

    def here(self) -> None:
        """Nobody asks how far it is."""

    def skip(self, line: int, code: str, detail: str = "") -> None:
        """Remember the first reason."""
        self.why = self.why or code

    def error(self, line: int, reason: str) -> InputError:
        """The error for what cannot be read on from a line."""
        return InputError("dataset_broken", path=self.name, line=line, reason=reason)
