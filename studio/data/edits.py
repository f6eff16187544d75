"""Edits of a dataset's rows: what is to change, and the draft that keeps them, step by step, until they are saved.

    <data>/versions/<NAME>/draft-<base>.jsonl     one line a step, appended and settled before a step is said to be done

The first line names the files that the row numbers belong to. A line that a killed process left half-written is no
step. Rows of the base have their number there, rows that the draft adds have -1, -2, …
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.data.aside import refused
from studio.errors import InputError, WorkError

BUSY_SECONDS = 5.0
EDITED, DELETED, ADDED = "edited", "deleted", "added"
Step = dict[str, Any]


@dataclass(frozen=True)
class Added:
    """A row that is put in before the base's row of the number `before`, at the end when there is none.

    `identity` is that of a row which an older version has and the base has not.
    """

    row: Any
    before: int | None = None
    identity: int | None = None


@dataclass(frozen=True)
class Edits:
    """What a new version changes: rows by their number in the base; a row both changed and deleted is deleted."""

    changed: Mapping[int, Any] = field(default_factory=dict)
    deleted: Container[int] = frozenset()
    added: Sequence[Added] = ()


class Draft:
    """The unsaved edits of one version of a dataset; what one process does, the others see.

    Every method that changes something has it on the disk when it returns. Raises InputError draft_outdated when the
    files that the draft belongs to have changed, WorkError draft_busy while the draft is being saved elsewhere,
    disk_full and disk_refuses.
    """

    def __init__(self, path: Path, base: int, stamps: Any) -> None:
        """The draft kept in `path`; `Versions.draft` finds it. `stamps` tell the files of the base apart."""
        self.path, self.base, self.stamps = path, base, stamps
        self._read, self._steps, self._undone = -1, list[Step](), list[Step]()
        self._edits = Edits()
        self.look()

    def look(self) -> None:
        """See what others have done since."""
        try:
            size = self.path.stat().st_size
        except FileNotFoundError:
            size = 0
        if size != self._read:
            self._load(self.path.read_bytes() if size else b"")

    @property
    def edits(self) -> Edits:
        """What the draft comes to."""
        return self._edits

    @property
    def steps(self) -> int:
        """How many steps can be undone."""
        return len(self._steps)

    @property
    def undone(self) -> int:
        """How many steps can be done again."""
        return len(self._undone)

    def state(self, number: int) -> str:
        """edited, deleted, added, or "" for a row as it is in the base."""
        if number < 0:
            return ADDED
        return DELETED if number in self._edits.deleted else EDITED if number in self._edits.changed else ""

    def edit(self, number: int, row: Any) -> None:
        """Put `row` in the place of a row."""
        self._do({"edit": number, "row": row})

    def delete(self, numbers: Iterable[int]) -> None:
        """Leave rows out."""
        self._do({"delete": sorted({int(number) for number in numbers})})

    def restore(self, numbers: Iterable[int]) -> None:
        """Have rows as they are in the base."""
        self._do({"restore": sorted({int(number) for number in numbers})})

    def add(self, row: Any, before: int | None = None) -> int:
        """Put a row in before another, or at the end; its number, which is negative."""
        self._do({"add": [[row, before, None]]})
        return -sum(len(step.get("add", ())) for step in self._steps)

    def many(self, changed: Mapping[int, Any], deleted: Iterable[int] = (), added: Iterable[Added] = ()) -> None:
        """Several edits as one step."""
        self._do({"many": [[number, row] for number, row in changed.items()], "delete": sorted(map(int, deleted)),
                  "add": [[one.row, one.before, one.identity] for one in added]})

    def undo(self) -> bool:
        """Take the last step back; whether there was one."""
        return self._do({"undo": 1}) if self.steps else False

    def redo(self) -> bool:
        """Do the step again that was last taken back; whether there was one."""
        return self._do({"redo": 1}) if self.undone else False

    def discard(self) -> None:
        """Forget all edits."""
        with self.held() as handle:
            os.ftruncate(handle, 0)
        self.look()

    @contextmanager
    def held(self) -> Iterator[int]:
        """Keep others from changing the draft; the file's handle. Raises WorkError draft_busy after a while."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise refused(self.path, error) from error
        try:
            _lock(handle, self.path)
            self.look()
            yield handle
        finally:
            os.close(handle)

    def digest(self) -> str:
        """A hash of the draft as it stands."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def _do(self, step: Step) -> bool:
        with self.held() as handle:
            known = self.path.read_bytes()
            head = b"" if known else _line({"base": self.base, "stamps": self.stamps})
            broken = b"\n" if known and not known.endswith(b"\n") else b""
            try:
                os.write(handle, broken + head + _line(step))
                os.fsync(handle)
            except OSError as error:
                os.ftruncate(handle, len(known))
                raise refused(self.path, error) from error
        self.look()
        return True

    def _load(self, data: bytes) -> None:
        self._read = len(data)
        self._steps, self._undone = [], []
        lines = [step for line in data.split(b"\n") if (step := _step(line)) is not None]
        if lines and lines[0].get("stamps") != self.stamps:
            raise InputError("draft_outdated", path=str(self.path))
        for step in lines[1:]:
            if "undo" in step and self._steps:
                self._undone.append(self._steps.pop())
            elif "redo" in step and self._undone:
                self._steps.append(self._undone.pop())
            elif "undo" not in step and "redo" not in step:
                self._steps.append(step)
                self._undone = []
        self._edits = _together(self._steps)


def _together(steps: Sequence[Step]) -> Edits:
    """What the steps come to."""
    changed: dict[int, Any] = {}
    deleted: set[int] = set()
    added: dict[int, Added] = {}
    put_in = 0
    for step in steps:
        for number, row in [*step.get("many", ()), *([(step["edit"], step["row"])] if "edit" in step else ())]:
            if number >= 0:
                changed[number] = row
                deleted.discard(number)
            elif number in added:
                added[number] = Added(row, added[number].before, added[number].identity)
        for number in step.get("delete", ()):
            if number >= 0:
                deleted.add(number)
            else:
                added.pop(number, None)
        for number in step.get("restore", ()):
            deleted.discard(number)
            changed.pop(number, None)
        for row, before, identity in step.get("add", ()):
            put_in += 1
            added[-put_in] = Added(row, before, identity)
    return Edits(changed, deleted, _Numbered(added))


class _Numbered(tuple[Added, ...]):
    """The rows that are added, in order, and by their number."""

    by_number: Mapping[int, Added]

    def __new__(cls, added: Mapping[int, Added]) -> _Numbered:
        """The rows out of a mapping by number."""
        made = super().__new__(cls, added.values())
        made.by_number = added
        return made


def _line(step: Step) -> bytes:
    return json.dumps(step, ensure_ascii=False, separators=(",", ":")).encode("utf-8", errors="surrogatepass") + b"\n"


def _step(line: bytes) -> Step | None:
    """The step in a line; None for what a killed process left of one."""
    try:
        found = json.loads(line.decode("utf-8", errors="surrogatepass"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _lock(handle: int, path: Path) -> None:
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError as error:
            if time.monotonic() > give_up:
                raise WorkError("draft_busy", path=str(path)) from error
            time.sleep(0.05)
