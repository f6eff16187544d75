"""Versions of a dataset: NAME@1 is the file itself, later ones are whole copies with what was edited.

    <data>/versions/<NAME>/<n>/    rows.jsonl     every row of the version, as JSON lines in UTF-8
                                   version.json   {parent, made, rows, edited, deleted, added, why, stamps, draft}
                                   ids.npy        the identity of every row, which it keeps from version to version
                                   edited.npy     the identities of the rows whose words are not the parent's

A version is made aside and renamed, so that it is there whole or not at all; a number is given once and what has one
is never written again. Two people who save at once get two numbers.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from studio.data import edits as drafts
from studio.data import places, recognise
from studio.data.aside import aside, settle
from studio.data.catalogue import Catalogue, Entry
from studio.data.difference import Difference, between
from studio.data.edits import Added, Draft, Edits
from studio.data.index import RowIndex, Stop, Tell, stamps_of
from studio.data.walk import LOOKED_AT
from studio.errors import InputError, StopAsked
from studio.records import read_json
from studio.workspace import Workspace

ROWS, ABOUT, IDS, EDITED = "rows.jsonl", "version.json", "ids.npy", "edited.npy"


@dataclass(frozen=True)
class Version:
    """One version of a dataset; `parent` is 0 and `rows` None for the file itself, which is version 1."""

    name: str
    number: int
    path: Path
    made: float
    parent: int = 0
    rows: int | None = None
    edited: int = 0
    deleted: int = 0
    added: int = 0
    why: str = ""

    @property
    def key(self) -> str:
        """The name under which a run can take it: `NAME`, `NAME@2`."""
        return self.name if self.number == 1 else f"{self.name}@{self.number}"


class Versions:
    """The versions of the datasets of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def named(self, key: str) -> tuple[str, int]:
        """The dataset and the version of `NAME` or `NAME@2`."""
        name, sign, number = key.rpartition("@")
        return (name, int(number)) if sign and name and number.isdecimal() else (key, 1)

    def room(self, name: str) -> Path:
        """Where the later versions of a dataset are; raises InputError version_name for what is no folder's name."""
        if name in ("", ".", "..") or any(sign in name for sign in "/\\\0"):
            raise InputError("version_name", name=name)
        return self.workspace.data / "versions" / name

    def of(self, name: str) -> list[Version]:
        """All versions of a dataset, the file itself first; raises InputError dataset_unknown."""
        path = self.entry(name, 1).path
        first = Version(name, 1, path or Path(), path.stat().st_mtime if path else 0.0)
        return [first, *(self._version(name, number) for number in self._numbers(name))]

    def entry(self, name: str, number: int = 1) -> Entry:
        """A version as a dataset that can be read; raises InputError version_unknown and what the catalogue raises."""
        return Catalogue(self.workspace).entry(name if number == 1 else f"{name}@{number}")

    def index(self, name: str, number: int = 1, tell: Tell | None = None, should_stop: Stop | None = None) -> RowIndex:
        """The rows of a version."""
        return RowIndex.of(self.entry(name, number), self.workspace.cache, tell, should_stop)

    def draft(self, name: str, base: int = 1) -> Draft:
        """The unsaved edits of a version; those that a killed process had saved but not put away are put away."""
        draft = Draft(self._draft(name, base), base, stamps_of(self.entry(name, base)))
        saved = {self._about(name, number).get("draft") for number in self._numbers(name)} if draft.steps else set()
        if draft.steps and draft.digest() in saved:
            draft.discard()
        return draft

    def discard(self, name: str, base: int = 1) -> None:
        """Forget the unsaved edits of a version, even those that fit its files no more."""
        drafts.discard(self._draft(name, base))

    def bring(self, name: str, base: int, version: int, numbers: Iterable[int]) -> Draft:
        """Have rows of another version, by their numbers there, in the draft of `base` as they were in that version.

        A row that the base has is edited to what it was, one that it has not is added where it stood.
        """
        draft = self.draft(name, base)
        old, here = self.index(name, version), self.index(name, base)
        old_ids, ids = self._ids(name, version, old), self._ids(name, base, here)
        present = {one.identity for one in draft.edits.added.values()}
        stay = np.isin(old_ids, ids)
        changed, added = dict[int, Any](), list[Added]()
        for number in sorted({int(number) for number in numbers}):
            identity, row = int(old_ids[number]), old.row(number)[1]
            if stay[number]:
                changed[int(np.flatnonzero(ids == identity)[0])] = row
            elif identity not in present:
                behind = old_ids[number + 1:][stay[number + 1:]][:1]
                added.append(Added(row, int(np.flatnonzero(ids == behind)[0]) if len(behind) else None, identity))
        draft.do(changed, (), added)
        return draft

    def difference(self, name: str, before: int, after: int) -> Difference:
        """What differs between two versions; raises InputError version_original_changed when the file is another."""
        one, other = self.index(name, before), self.index(name, after)
        chains = [self._chain(name, number) for number in (before, after)]
        if 1 in (before, after):
            self._check_original(name, chains[0] + chains[1])
        apart = set(chains[0]) ^ set(chains[1])
        edited = [np.load(self.room(name) / str(number) / EDITED) for number in sorted(apart - {1})]
        return between(one, self._ids(name, before, one), other, self._ids(name, after, other),
                       np.concatenate([np.zeros(0, np.int64), *edited]))

    def save(self, name: str, base: int, edits: Edits, why: str = "", tell: Tell | None = None,
             should_stop: Stop | None = None, draft: str = "") -> Version:
        """A new version out of another and edits; `tell(done, total)` hears rows.

        Raises InputError dataset_changed when the base's files change meanwhile and dataset_mixed, WorkError disk_full
        or disk_refuses, StopAsked; whatever it raises, nothing is left behind.
        """
        index = self.index(name, base, None, should_stop)
        check_one_format(self.entry(name, base), index)
        stamps = stamps_of(self.entry(name, base))
        with aside(self.room(name)) as folder:
            writer = _Writer(index, self._ids(name, base, index), edits, tell, should_stop)
            with open(folder / ROWS, "wb") as file:
                writer.write(file)
                file.flush()
                os.fsync(file.fileno())
            if not index.fresh:
                raise InputError("dataset_changed", path=index.parts[0].name if index.parts else name)
            np.save(folder / IDS, writer.all_ids())
            np.save(folder / EDITED, np.array(writer.touched, np.int64))
            about = {"parent": base, "made": time.time(), "rows": writer.rows, "edited": writer.edited,
                     "deleted": writer.deleted, "added": writer.added, "why": why, "stamps": stamps, "draft": draft}
            (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False, indent=1), encoding="utf-8")
            for path in (*folder.iterdir(), folder):
                settle(path)
            number = self._take(name, folder)
        return self._version(name, number)

    def save_draft(self, name: str, base: int, why: str = "", tell: Tell | None = None,
                   should_stop: Stop | None = None) -> Version:
        """A new version out of the draft, which is empty afterwards; raises InputError draft_empty too."""
        draft = self.draft(name, base)
        with draft.held() as handle:
            if not draft.edits:
                raise InputError("draft_empty", name=name)
            version = self.save(name, base, draft.edits, why, tell, should_stop, draft.digest())
            os.ftruncate(handle, 0)
        draft.look()
        return version

    def _draft(self, name: str, base: int) -> Path:
        return self.room(name) / f"draft-{base}.jsonl"

    def _about(self, name: str, number: int) -> dict[str, Any]:
        return read_json(self.room(name) / str(number) / ABOUT) or {}

    def _chain(self, name: str, number: int) -> list[int]:
        """A version and all it was made from."""
        found = [number]
        while found[-1] > 1:
            found.append(int(self._about(name, found[-1]).get("parent", 1)))
        return found

    def _check_original(self, name: str, numbers: Iterable[int]) -> None:
        """Refuse to compare with a file that is not what the versions were made from."""
        entry = self.entry(name, 1)
        now = stamps_of(entry)
        for number in numbers:
            about = self._about(name, number) if number > 1 else {}
            if about.get("parent") == 1 and about.get("stamps") != now:
                raise InputError("version_original_changed", name=name, path=str(entry.path), value=number)

    def _numbers(self, name: str) -> list[int]:
        room = self.room(name)
        found = room.iterdir() if room.is_dir() else ()
        return sorted(int(path.name) for path in found if path.name.isdecimal() and (path / ABOUT).is_file())

    def _version(self, name: str, number: int) -> Version:
        folder = self.room(name) / str(number)
        about = self._about(name, number)
        kept = {key: about[key] for key in ("parent", "rows", "edited", "deleted", "added", "why") if key in about}
        return Version(name, number, folder / ROWS, float(about.get("made", 0.0)), **kept)

    def _ids(self, name: str, number: int, index: RowIndex) -> np.ndarray:
        """The identity of every row of a version: in the first its number, in later ones as they were kept."""
        if number == 1:
            return np.arange(index.rows, dtype=np.int64)
        return np.load(self.room(name) / str(number) / IDS)

    def _take(self, name: str, folder: Path) -> int:
        """Give a finished version the next number, which nobody else has."""
        room = self.room(name)
        number = max([1, *self._numbers(name)]) + 1
        while True:
            try:
                folder.rename(room / str(number))
            except OSError as error:
                if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR):
                    raise
                number += 1
                continue
            settle(room)
            return number


def check_one_format(entry: Entry, index: RowIndex) -> None:
    """Raise InputError dataset_mixed when rows of several formats would come together in one file."""
    heads = [range(part.first, part.first + min(LOOKED_AT, part.rows)) for part in index.parts]
    found = {recognise.format_of(entry, [index.row(number)[1] for number in head]) for head in heads}
    if len(found) > 1:
        raise InputError("dataset_mixed", name=entry.name, formats=", ".join(sorted(map(str, found - {None}))))


class _Writer:
    """Writes the rows of a version: most of them as they stand."""

    def __init__(self, index: RowIndex, ids: np.ndarray, edits: Edits, tell: Tell | None, should_stop: Stop | None):
        self.index, self.ids, self.edits, self.tell, self.should_stop = index, ids, edits, tell, should_stop
        self.rows = self.edited = self.deleted = self.added = 0
        self.touched: list[int] = []
        self._gone = frozenset(int(number) for number in edits.deleted)
        self._kept: list[np.ndarray] = []
        self._first_new = (1 << 62) | (secrets.randbits(40) << 20)
        self._before: dict[int, list[Added]] = {}
        for one in edits.added.values():
            self._before.setdefault(index.rows if one.before is None else one.before, []).append(one)

    def all_ids(self) -> np.ndarray:
        """The identity of every row that was written."""
        return np.concatenate([np.zeros(0, np.int64), *self._kept])

    def write(self, file: IO[bytes]) -> None:
        """Write all rows."""
        touched = np.array(sorted({*self._gone, *self.edits.changed, *self._before}), np.int64)
        for first, rows, spelling in self.index.blocks():
            last = first + len(rows)
            if np.searchsorted(touched, first) == np.searchsorted(touched, last):
                self._out(file, places.as_lines(rows, spelling), self.ids[first:last])
            else:
                self._edited(file, first, rows, spelling)
            if self.tell:
                self.tell(last, self.index.rows)
            if self.should_stop and self.should_stop():
                raise StopAsked("saving")
        lines, kept = list[bytes](), list[int]()
        for _, some in sorted(self._before.items()):
            for one in some:
                self._put_in(one, lines, kept)
        self._out(file, lines, kept)

    def _edited(self, file: IO[bytes], first: int, rows: Sequence[bytes], spelling: dict[str, Any]) -> None:
        """Write rows of which some are changed."""
        lines, kept = list[bytes](), list[int]()
        for number, line in enumerate(places.as_lines(rows, spelling), first):
            for one in self._before.pop(number, ()):
                self._put_in(one, lines, kept)
            if number in self._gone:
                self.deleted += 1
                continue
            kept.append(int(self.ids[number]))
            if number in self.edits.changed:
                self.edited += 1
                self.touched.append(kept[-1])
                lines.append(places.written(self.edits.changed[number]))
            else:
                lines.append(line)
        self._out(file, lines, kept)

    def _put_in(self, one: Added, lines: list[bytes], kept: list[int]) -> None:
        lines.append(places.written(one.row))
        kept.append(self._first_new + self.added if one.identity is None else one.identity)
        self.touched.append(kept[-1])
        self.added += 1

    def _out(self, file: IO[bytes], lines: Sequence[bytes], kept: Sequence[int] | np.ndarray) -> None:
        file.write(b"".join(lines))
        self._kept.append(np.array(kept, np.int64))
        self.rows += len(lines)
