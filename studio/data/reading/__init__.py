"""Rows out of json, jsonl (also named .json) and csv files in UTF-8, UTF-16 or GB18030, one row in memory at a time."""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from studio.errors import InputError

KINDS = (".json", ".jsonl", ".csv")
CHUNK = 1 << 20
_SPACE = re.compile(r"\s*")
_DECODER = json.JSONDecoder()


At = Callable[[int], None]
Broken = Callable[[int, str, str], None]


@dataclass(frozen=True)
class Source:
    """One file of rows: a file on this disk, or the member of an archive."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """How it is called in sentences: `x.json`, or `x.zip/inner.csv`."""
        return f"{self.path.name}/{self.member}" if self.member else self.path.name

    @property
    def size(self) -> int:
        """How many bytes `at` counts up to."""
        return self.path.stat().st_size


@dataclass(frozen=True)
class Facts:
    """What a source is; `encoding` is None for what is no text, `compression` and `delimiter` where there is none."""

    kind: str
    encoding: str | None = None
    compression: str | None = None
    delimiter: str | None = None


def files(path: Path) -> list[Path]:
    """The data files at a path: the file itself, or those of a folder in the order of their names."""
    if path.is_dir():
        return sorted(found for found in path.iterdir() if found.is_file() and found.suffix.lower() in KINDS)
    return [path]


def sources(path: Path) -> list[Source]:
    """What is to be read at a path, in order: a file, the files of a folder, the members of an archive."""
    return [Source(found) for found in files(path)]


def describe(source: Source) -> Facts:
    """What a source is; raises InputError dataset_file_type, dataset_encoding, file_unreadable."""
    path = source.path
    kind = path.suffix.lower()
    if kind not in KINDS:
        raise InputError("dataset_file_type", path=path.name, kinds=", ".join(KINDS))
    try:
        encoding = _encoding(path)
        with open(path, encoding=encoding, errors="replace", newline="") as file:
            lines = kind == ".jsonl" or (kind == ".json" and _one_a_line(file))
    except OSError as error:
        raise InputError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    return Facts("jsonl" if lines else kind[1:], encoding, None, "," if kind == ".csv" else None)


def rows(path: Path | Source, at: At | None = None, broken: Broken | None = None) -> Iterator[Any]:
    """Every row of one file, whatever its type; `at` is told the byte position now and then.

    Raises InputError: dataset_broken with the line, dataset_encoding, dataset_file_type, file_unreadable.
    """
    for _, row in numbered(path, at, broken):
        yield row


def numbered(source: Path | Source, at: At | None = None, broken: Broken | None = None) -> Iterator[tuple[int, Any]]:
    """Every row with the line, from 1, where it begins (the row's own number where there are no lines).

    `broken(line, code, detail)` hears of each line that is skipped, `code` is a key of `data.skipped`; without it the
    first such line raises InputError dataset_broken. A JSON array that is broken always raises.
    """
    if isinstance(source, Path):
        for one in sources(source):
            yield from numbered(one, at, broken)
        return
    path, facts = source.path, describe(source)
    try:
        with open(path, encoding=facts.encoding, errors="replace", newline="") as file:
            raw: Any = file.buffer
            position = (lambda: at(raw.tell())) if at else (lambda: None)
            if facts.kind == "csv":
                yield from _csv(path, file, position)
            elif facts.kind == "jsonl":
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


def _csv(path: Path, file: IO[str], position: Callable[[], None]) -> Iterator[tuple[int, dict[str, Any]]]:
    csv.field_size_limit(1 << 30)
    reader = csv.DictReader(file)
    try:
        for place, row in enumerate(reader):
            row.pop(None, None)  # type: ignore[call-overload]  # cells beyond the header
            yield reader.line_num, row
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


def _lines(path: Path, file: IO[str], position: Callable[[], None]) -> Iterator[tuple[int, Any]]:
    loads = json.loads
    number = 0
    while line := file.readline():
        number += 1
        if number % 256 == 0:
            position()
        if line.isspace():
            continue
        try:
            yield number, loads(line)
        except ValueError as error:
            raise InputError("dataset_broken", path=path.name, line=number, reason=_reason(error)) from error


def _values(path: Path, file: IO[str], position: Callable[[], None]) -> Iterator[tuple[int, Any]]:
    """The members of a JSON array, or JSON values one after the other."""
    window = _Window(path.name, file, position)
    if window.sees("["):
        if not window.sees("]"):
            yield window.placed()
            while window.sees(","):
                yield window.placed()
            if not window.sees("]"):
                raise window.broken("Expecting ',' or ']'")
        if not window.finished():
            raise window.broken("Extra data")
        return
    while not window.finished():
        yield window.placed()


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

    def placed(self) -> tuple[int, Any]:
        """The next value after the line where it begins."""
        self.finished()
        line = self.line + self.text.count("\n", 0, self.place)
        return line, self.value()

    def broken(self, reason: str, place: int | None = None) -> InputError:
        """The error for what stands here."""
        at = min(self.place if place is None else place, len(self.text))
        line = self.line + self.text.count("\n", 0, at)
        return InputError("dataset_broken", path=self.name, line=line, reason=reason)


def _reason(error: ValueError) -> str:
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)
