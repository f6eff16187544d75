"""Rows out of one JSON array, or out of JSON values one after the other, one of them in memory at a time."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO, Any

from studio.data.reading import strict
from studio.data.reading.encoding import MARK
from studio.data.reading.told import Told

CHUNK = 1 << 20
_SPACE = re.compile(r"[ \t\r\n]*")
_HALVES = re.compile(r"\\u[dD][89a-fA-F]")
_DECODER = json.JSONDecoder()
_UNFINISHED = "Unterminated string"
_LONGEST_WORD = 16  # -Infinity, a number's end, an escape: what may be wrong only because the window ends in it


def rows(file: IO[str], told: Told) -> Iterator[tuple[int, Any]]:
    """Every row with the line where it begins; raises InputError dataset_broken where the text is no JSON."""
    window = _Window(file, told)
    if not window.sees("["):
        while not window.finished():
            if row := window.row():
                yield row
        return
    if not window.sees("]"):
        more = True
        while more:
            if row := window.row():
                yield row
            more = window.sees(",")
        if not window.sees("]"):
            raise window.broken("@data.skipped.cut_line" if window.finished() else "Expecting ',' or ']'")
    if not window.finished():
        raise window.broken("Extra data")


class _Window:
    """A moving window over a text of JSON: as much as the present value needs, never the whole file."""

    def __init__(self, file: IO[str], told: Told) -> None:
        self.file, self.told = file, told
        self.text, self.place, self.ended = "", 0, False
        self.line, self.counted = 1, 0  # the line of the place `counted`
        self.damaged = self.escaped = False

    def _fill(self) -> None:
        self.line += self.text.count("\n", self.counted, self.place)
        rest = self.text[self.place:]
        more = self.file.read(max(CHUNK, len(rest)))
        self.text, self.place, self.counted, self.ended = rest + more, 0, 0, not more
        self.damaged, self.escaped = MARK in self.text, bool(_HALVES.search(self.text))
        self.told.here()

    def finished(self) -> bool:
        """Whether nothing but white space is left."""
        while True:
            self.place = _SPACE.match(self.text, self.place).end()  # type: ignore[union-attr]
            if self.place < len(self.text):
                return False
            if self.ended:
                return True
            self._fill()

    def sees(self, sign: str) -> bool:
        """Step over `sign` if it comes next."""
        if self.text[self.place:self.place + 1] != sign and (self.finished() or self.text[self.place] != sign):
            return False
        self.place += 1
        return True

    def row(self) -> tuple[int, Any] | None:
        """The next value after its line, or None when it is left out; raises InputError dataset_broken."""
        self.finished()
        value, end = self._value()
        text, start = self.text, self.place
        self.line += text.count("\n", self.counted, start)
        self.place, self.counted = end, start
        if type(value) is dict and (names := strict.names(value)) != text.count('":', start, end) \
                and names != text.count('":', start, end) - text.count('\\":', start, end):
            try:
                value = strict.loads(text[start:end])
            except strict.Refused as refused:
                self.told.skip(self.line, refused.code, refused.detail)
                return None
        if self.damaged and text.find(MARK, start, end) >= 0:
            self.told.skip(self.line, "bad_bytes")
        elif self.escaped and _HALVES.search(text, start, end) and not strict.is_whole(value):
            self.told.skip(self.line, "half_character")
        else:
            return self.line, value
        return None

    def _value(self) -> tuple[Any, int]:
        """The next value and where it ends; the window grows until it is whole."""
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.place)
                if self.ended or isinstance(value, dict | list) or end < len(self.text):
                    return value, end
            except RecursionError:
                raise self.broken("too deep") from None
            except ValueError as error:
                place = getattr(error, "pos", self.place)
                said = strict.reason(error)
                cut = said.startswith(_UNFINISHED) or place > len(self.text) - _LONGEST_WORD
                if self.ended or not cut:
                    raise self._at(place, said) from error
            self._fill()

    def _at(self, place: int, said: str) -> Exception:
        if self.text[place:place + 1] == "\0":
            return self.broken("@data.skipped.nul_bytes", place)
        cut = said.startswith(_UNFINISHED) or place >= len(self.text.rstrip())
        return self.broken("@data.skipped.cut_line" if cut else said, place)

    def broken(self, reason: str, place: int | None = None) -> Exception:
        """The error for what stands here."""
        at = min(self.place if place is None else place, len(self.text))
        line = self.line + self.text.count("\n", self.counted, at)
        return self.told.error(line, reason)
