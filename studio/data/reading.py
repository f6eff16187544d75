"""Rows out of json, jsonl (also named .json) and csv files in UTF-8, UTF-16 or GB18030, one row in memory at a time."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from studio.errors import InputError

KINDS = (".json", ".jsonl", ".csv")
CHUNK = 1 << 20
_SPACE = re.compile(r"\s*")
_DECODER = json.JSONDecoder()


def files(path: Path) -> list[Path]:
    """The data files at a path: the file itself, or those of a folder in the order of their names."""
    if path.is_dir():
        return sorted(found for found in path.iterdir() if found.is_file() and found.suffix.lower() in KINDS)
    return [path]


def rows(path: Path, at: Callable[[int], None] | None = None) -> Iterator[Any]:
    """Every row of one file, whatever its type; `at` is told the byte position now and then.

    Raises InputError: dataset_broken with the line, dataset_encoding, dataset_file_type, file_unreadable.
    """
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise InputError("dataset_file_type", path=path.name, kinds=", ".join(KINDS))
    try:
        with open(path, encoding=_encoding(path), errors="replace", newline="") as file:
            raw: Any = file.buffer
            position = (lambda: at(raw.tell())) if at else (lambda: None)
            if kind == ".csv":
                yield from _csv(path, file, position)
            elif kind == ".jsonl" or _one_a_line(file):
                yield from _lines(path, file, position)
            else:
                yield from _values(path, file, position)
    except OSError as error:
        raise InputError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error


def _encoding(path: Path) -> str:
    """The encoding in which the whole file can be read; a character cut in half at the very end is let pass."""
    with open(path, "rb") as file:
        start = file.read(4)
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    for name in ("utf-8-sig", "gb18030"):
        decode = codecs.getincrementaldecoder(name)().decode
        try:
            with open(path, "rb") as file:
                while chunk := file.read(CHUNK):
                    decode(chunk)
            return name
        except UnicodeDecodeError:
            continue
    raise InputError("dataset_encoding", path=path.name)


def _csv(path: Path, file: IO[str], position: Callable[[], None]) -> Iterator[dict[str, Any]]:
    csv.field_size_limit(1 << 30)
    reader = csv.DictReader(file)
    try:
        for place, row in enumerate(reader):
            row.pop(None, None)  # type: ignore[call-overload]  # cells beyond the header
            yield row
            if place % 256 == 0:
                position()
    except csv.Error as error:
        raise InputError("dataset_broken", path=path.name, line=reader.line_num, reason=str(error)) from error


def _one_a_line(file: IO[str]) -> bool:
    """Whether the first line that says something is a whole JSON object, as in a jsonl file named .json."""
    line = ""
    while not line.strip():
        line = file.readline()
        if not line:
            break
    file.seek(0)
    try:
        return isinstance(json.loads(line), dict)
    except ValueError:
        return False


def _lines(path: Path, file: IO[str], position: Callable[[], None]) -> Iterator[Any]:
    loads = json.loads
    number = 0
    while line := file.readline():
        number += 1
        if number % 256 == 0:
            position()
        if line.isspace():
            continue
        try:
            yield loads(line)
        except ValueError as error:
            raise InputError("dataset_broken", path=path.name, line=number, reason=_reason(error)) from error


def _values(path: Path, file: IO[str], position: Callable[[], None]) -> Iterator[Any]:
    """The members of a JSON array, or JSON values one after the other."""
    window = _Window(path.name, file, position)
    if window.sees("["):
        if not window.sees("]"):
            yield window.value()
            while window.sees(","):
                yield window.value()
            if not window.sees("]"):
                raise window.broken("Expecting ',' or ']'")
        if not window.finished():
            raise window.broken("Extra data")
        return
    while not window.finished():
        yield window.value()


class _Window:
    """A moving window over a text of JSON: as much as the present value needs, never the whole file."""

    def __init__(self, name: str, file: IO[str], position: Callable[[], None]) -> None:
        self.name, self.file, self.position = name, file, position
        self.text, self.place, self.line, self.ended = "", 0, 1, False

    def _fill(self) -> None:
        self.line += self.text.count("\n", 0, self.place)
        rest = self.text[self.place:]
        more = self.file.read(max(CHUNK, len(rest)))
        self.text, self.place, self.ended = rest + more, 0, not more
        self.position()

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
        if self.finished() or self.text[self.place] != sign:
            return False
        self.place += 1
        return True

    def value(self) -> Any:
        """The next value; raises InputError dataset_broken."""
        self.finished()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.place)
                if self.ended or isinstance(value, dict | list) or end < len(self.text):
                    self.place = end
                    return value
            except ValueError as error:
                if self.ended:
                    raise self.broken(_reason(error), getattr(error, "pos", self.place)) from error
            self._fill()

    def broken(self, reason: str, place: int | None = None) -> InputError:
        """The error for what stands here."""
        at = min(self.place if place is None else place, len(self.text))
        line = self.line + self.text.count("\n", 0, at)
        return InputError("dataset_broken", path=self.name, line=line, reason=reason)


def _reason(error: ValueError) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)
