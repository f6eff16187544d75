"""RowIndex: any row of a dataset in a moment, by the places where rows begin and end in its files.

    <cache>/index/<key>/    facts.json, starts.npy, ends.npy, lines.npy, and rows-<n>.jsonl for each file whose rows
                            have no place of their own (compressed, binary, UTF-16, …); lengths.npy when asked for

The key follows from the paths, sizes and times of change of the files, so a file that changed is indexed anew. Memory
holds 24 bytes a row while an index is made and nothing of the rows themselves; afterwards the places are mapped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.data import places
from studio.data.aside import aside
from studio.data.catalogue import Entry, sources_of
from studio.data.walk import Place
from studio.errors import InputError, StopAsked
from studio.records import read_json

VERSION = 1
MOST_KEPT = 24
PLACES = ("starts", "ends", "lines")
Tell = Callable[[int, int], None]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Part:
    """One file of a dataset: where its rows are read (`path`), how they are spelled, and which they are."""

    name: str
    path: Path
    spelling: dict[str, Any]
    first: int
    rows: int


class RowIndex:
    """Every row of a dataset by its number, which is the number in `walk`'s Place."""

    def __init__(self, folder: Path, stamps: list[list[Any]]) -> None:
        """The index kept in `folder`; `RowIndex.of` finds or makes it."""
        facts = read_json(folder / "facts.json") or {}
        self.folder, self._stamps = folder, stamps
        self.parts = [Part(one["name"], Path(one["path"]) if one["path"] else folder / one["laid"], one["spelling"],
                           one["first"], one["rows"]) for one in facts["parts"]]
        self._firsts = [part.first for part in self.parts]
        self._starts, self._ends, self._lines = (np.load(folder / f"{name}.npy", mmap_mode="r") for name in PLACES)
        self._handles: dict[Path, int] = {}

    @classmethod
    def of(cls, entry: Entry, cache: Path, tell: Tell | None = None, should_stop: Stop | None = None) -> RowIndex:
        """The index of an entry's rows, made when there is none for its files as they are now.

        `tell(done, total)` hears bytes. Raises what reading the files raises (InputError), WorkError disk_full or
        disk_refuses, and StopAsked.
        """
        stamps = stamps_of(entry)
        room = cache / "index"
        kept = room / _key(entry, stamps)
        for _ in range(2):
            try:
                found = cls(kept, stamps)
                break
            except (OSError, ValueError, KeyError):
                shutil.rmtree(kept, ignore_errors=True)
                _make(entry, room, kept, tell, should_stop)
        else:
            found = cls(kept, stamps)
        if os.access(kept, os.W_OK):
            os.utime(kept)
        return found

    @property
    def rows(self) -> int:
        """How many rows there are, usable or not."""
        return len(self._starts)

    @property
    def fresh(self) -> bool:
        """Whether the files are still those that were indexed."""
        return all(_stamp(Path(str(stamp[0]))) == stamp for stamp in self._stamps)

    def place(self, number: int) -> Place:
        """Where a row stands."""
        return Place(self.part(number).name, int(self._lines[number]), number)

    def size(self, number: int) -> int:
        """The bytes of a row as it stands in its file."""
        return int(self._ends[number] - self._starts[number])

    def raw(self, number: int) -> bytes:
        """A row's bytes as they stand in its file; raises InputError dataset_changed when the file is another."""
        part = self.part(number)
        start, end = int(self._starts[number]), int(self._ends[number])
        found = os.pread(self._handle(part.path), end - start, start)
        if len(found) < end - start:
            raise InputError("dataset_changed", path=part.name)
        return found

    def row(self, number: int) -> tuple[Place, Any]:
        """A row's place and the row itself, None for what is none; raises InputError dataset_changed, IndexError."""
        return self.place(number), self.understood(number)[0]

    def understood(self, number: int) -> tuple[Any, str]:
        """(a row, "") or (None, why it is none: a key of `data.skipped`), as training reads it."""
        part = self.part(number)
        ended = int(self._ends[number]) < os.fstat(self._handle(part.path)).st_size
        return places.understood(self.raw(number), part.spelling, ended)

    def rows_at(self, numbers: slice | Sequence[int]) -> list[tuple[Place, Any]]:
        """The rows of a slice or of a list of numbers, in that order."""
        chosen = range(self.rows)[numbers] if isinstance(numbers, slice) else numbers
        if not self.fresh:
            raise InputError("dataset_changed", path=self.parts[0].name if self.parts else "")
        return [self.row(int(number)) for number in chosen]

    def blocks(self, first: int = 0, block_bytes: int = 4 << 20) -> Iterator[tuple[int, list[bytes], dict[str, Any]]]:
        """(number of the first, rows' bytes, spelling) of all rows from `first` on, some megabytes at a time."""
        for part in self.parts:
            number, last = max(first, part.first), part.first + part.rows
            while number < last:
                begin = int(self._starts[number])
                end = max(number + 1, int(np.searchsorted(self._ends[number:last], begin + block_bytes)) + number)
                data = os.pread(self._handle(part.path), int(self._ends[end - 1]) - begin, begin)
                bounds = zip((self._starts[number:end] - begin).tolist(), (self._ends[number:end] - begin).tolist())
                yield number, [data[start:stop] for start, stop in bounds], part.spelling
                number = end

    def close(self) -> None:
        """Let go of the open files."""
        while self._handles:
            os.close(self._handles.popitem()[1])

    def __del__(self) -> None:
        if hasattr(self, "_handles"):
            self.close()

    def part(self, number: int) -> Part:
        """The file in which a row stands; raises IndexError."""
        if not 0 <= number < self.rows:
            raise IndexError(number)
        return self.parts[bisect_right(self._firsts, number) - 1]

    def _handle(self, path: Path) -> int:
        if path not in self._handles:
            if len(self._handles) > 16:
                self.close()
            try:
                self._handles[path] = os.open(path, os.O_RDONLY)
            except OSError as error:
                reason = error.strerror or str(error)
                raise InputError("file_unreadable", path=str(path), reason=reason) from error
        return self._handles[path]


def stamps_of(entry: Entry) -> list[list[Any]]:
    """[path, size, time of change] of each file of the entry."""
    return [_stamp(path) for path in dict.fromkeys(source.path for source in sources_of(entry))]


def _stamp(path: Path) -> list[Any]:
    try:
        stat = path.stat()
    except OSError:
        return [str(path), -1, 0]
    return [str(path), stat.st_size, stat.st_mtime_ns]


def _key(entry: Entry, stamps: list[list[Any]]) -> str:
    names = [source.name for source in sources_of(entry)]
    return hashlib.sha256(json.dumps([VERSION, stamps, names]).encode()).hexdigest()[:32]


def _make(entry: Entry, room: Path, kept: Path, tell: Tell | None, should_stop: Stop | None) -> None:
    sources = sources_of(entry)
    total, behind = sum(source.size for source in sources), 0

    def at(position: int) -> None:
        if tell:
            tell(min(behind + position, total), total)
        if should_stop and should_stop():
            raise StopAsked("indexing")

    with aside(room) as folder:
        parts: list[dict[str, Any]] = []
        found: list[places.Places] = []
        rows = 0
        for source in sources:
            laid = folder / f"rows-{len(parts)}.jsonl"
            one, spelling = places.find(source, laid, at)
            parts.append({"name": source.name, "path": "" if laid.exists() else str(source.path.resolve()),
                          "laid": laid.name, "spelling": spelling, "first": rows, "rows": len(one.starts)})
            found.append(one)
            rows += len(one.starts)
            behind += source.size
        for name in PLACES:
            arrays = [getattr(one, name) for one in found]
            np.save(folder / f"{name}.npy", np.concatenate(arrays) if arrays else np.zeros(0, np.int64))
        facts = {"version": VERSION, "rows": rows, "parts": [part for part in parts if part["rows"]]}
        (folder / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
        try:
            folder.rename(kept)
        except OSError:
            if not (kept / "facts.json").exists():  # otherwise another process was first, with the same rows
                raise
    _prune(room)


def _prune(room: Path) -> None:
    """Let go of the indices unused for longest; one that is open stays readable."""
    entries = [path for path in room.iterdir() if path.is_dir() and not path.name.startswith(".")]
    entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in entries[MOST_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
