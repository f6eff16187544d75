"""Where the rows of one file begin and end, in bytes; a file whose rows have no place of their own is laid down.

JSON lines and JSON arrays in UTF-8 or GB18030 are read where they stand. Whatever else (compressed, binary, UTF-16, a
csv, what the quick scan does not understand) is read once as training reads it and laid down as JSON lines. Rows come
in the order and number of `reading.numbered`, with broken lines counted.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from studio.data import reading

CHUNK = 4 << 20
NEWLINE, RETURN, QUOTE, BACKSLASH, COMMA = b'\n\r"\\,'
OPENING, CLOSING = b"{[", b"}]"
At = Callable[[int], None]
sources = reading.sources


@dataclass(frozen=True)
class Places:
    """First byte, byte after the last, and line (from 1) of every row of a file; int64."""

    starts: np.ndarray
    ends: np.ndarray
    lines: np.ndarray


def find(source: reading.Source, laid: Path, at: At) -> tuple[Places, dict[str, Any]]:
    """The places of a source's rows and how they are spelled; `laid` is written if they have none in the source."""
    facts = reading.describe(source)
    encoding = facts.encoding or ""
    if not (source.member or facts.compression) and encoding in ("utf-8", "utf-8-sig", "gb18030"):
        quick = {"jsonl": of_lines, "json": of_array}.get(facts.kind)
        found = quick(source.path, encoding, at) if quick else None
        if found is not None:
            return found, {"encoding": encoding.removesuffix("-sig")}
    return lay_down(source, laid, at), {"encoding": "utf-8"}


def parsed(raw: bytes, spelling: dict[str, Any]) -> Any:
    """The row in these bytes; None for what is none."""
    try:
        return json.loads(raw.decode(spelling["encoding"], errors="replace"))
    except ValueError:
        return None


def lay_down(source: reading.Source, laid: Path, at: At) -> Places:
    """Write a source's rows as JSON lines, a line that is no row as null, and give their places there."""
    starts, lines = [0], []
    with open(laid, "wb") as file:
        def write(line: int, row: Any) -> None:
            starts.append(starts[-1] + file.write(written(row)))
            lines.append(line)

        for line, row in reading.numbered(source, at, broken=lambda line, code, detail: write(line, None)):
            write(line, row)
    places = np.array(starts, np.int64)
    return Places(places[:-1], places[1:] - 1, np.array(lines, np.int64))


def written(row: Any) -> bytes:
    """A row as one line of JSON in UTF-8, with its newline."""
    return json.dumps(row, ensure_ascii=False, default=str).encode("utf-8", errors="replace") + b"\n"


def of_lines(path: Path, encoding: str, at: At) -> Places | None:
    """The places of JSON lines; lines that say nothing are none. None when lines end as only Macs of old end them."""
    ends, odd, lines = [], [], 0
    with open(path, "rb") as file:
        begin = _after_mark(file)
        position, fresh = begin, True
        while chunk := file.read(CHUNK):
            bytes_ = np.frombuffer(chunk, np.uint8)
            if _lone_returns(bytes_):
                return None
            found = np.flatnonzero(bytes_ == NEWLINE)
            firsts = found[:-1] + 1 if len(found) and found[-1] == len(bytes_) - 1 else found + 1
            numbers = np.arange(lines + 1, lines + 1 + len(firsts))
            if fresh:
                firsts, numbers = np.concatenate([[0], firsts]), np.concatenate([[lines], numbers])
            odd.append(numbers[~np.isin(bytes_[firsts], list(OPENING))])
            ends.append(found + position)
            fresh, lines = bool(chunk.endswith(b"\n")), lines + len(found)
            position += len(chunk)
            at(position)
        stops = np.concatenate([*ends, [position]] if not fresh else [*ends, np.zeros(0, np.int64)]).astype(np.int64)
        starts = np.concatenate([[begin], stops[:-1] + 1]).astype(np.int64)[:len(stops)]
        numbers = np.arange(1, len(stops) + 1)
        says = np.ones(len(stops), bool)
        for number in np.concatenate([*odd, np.zeros(0, np.int64)]).astype(np.int64):
            file.seek(starts[number])
            line = file.read(stops[number] - starts[number])
            says[number] = bool(line.decode(encoding, errors="replace").strip())
    return Places(starts[says], stops[says], numbers[says])


def _after_mark(file: IO[bytes]) -> int:
    """Step over the byte order mark, and how long it is."""
    begin = len(codecs.BOM_UTF8) if file.read(3) == codecs.BOM_UTF8 else 0
    file.seek(begin)
    return begin


def _lone_returns(chunk: np.ndarray) -> bool:
    """Whether a carriage return stands without a newline behind it; one at the very end is let pass."""
    found = np.flatnonzero(chunk[:-1] == RETURN)
    return bool(len(found)) and bool((chunk[found + 1] != NEWLINE).any())


def of_array(path: Path, encoding: str, at: At) -> Places | None:
    """The places of the objects in a JSON array; None when the file is anything but an array of objects that ends."""
    scan = _ArrayScan()
    with open(path, "rb") as file:
        position = _after_mark(file)
        while chunk := file.read(CHUNK):
            if not scan.feed(np.frombuffer(chunk, np.uint8), position):
                return None
            position += len(chunk)
            at(position)
    return scan.places()


class _ArrayScan:
    """Brackets, quotes and commas of a JSON text, a chunk at a time; ASCII signs mean themselves in its encodings."""

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
