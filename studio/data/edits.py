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
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from studio.data.aside import refused
from studio.errors import InputError, WorkError

BUSY_SECONDS = 5.0
EDITED, DELETED, ADDED = "edited", "deleted", "added"
_HEAD_BYTES = 512
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
    """What a new version changes: rows by their number in the base; a row both changed and deleted is deleted.

    `changed` may be a mapping that makes its rows when asked for them. The keys of `added` only tell its rows apart.
    """

    changed: Mapping[int, Any] = field(default_factory=dict)
    deleted: Collection[int] = frozenset()
    added: Mapping[int, Added] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.changed or len(self.deleted) or self.added)


class Draft:
    """The unsaved edits of one version of a dataset; what one process does, the others see after `look`.

    Every method that changes something has it on the disk when it returns. Raises InputError draft_outdated when the
    files that the draft belongs to have changed, WorkError draft_busy while the draft is being saved elsewhere,
    disk_full and disk_refuses.
    """

    def __init__(self, path: Path, base: int, stamps: Any) -> None:
        """The draft kept in `path`; `Versions.draft` finds it. `stamps` tell the files of the base apart."""
        self.path, self.base, self.stamps = path, base, stamps
        self._read, self._head = 0, b""
        self._steps, self._undone, self._state = list[Step](), list[Step](), _State()
        self.look()

    def look(self) -> None:
        """See what others have done since."""
        try:
            with open(self.path, "rb") as file:
                head = file.readline(_HEAD_BYTES)
                if not head.startswith(self._head) or not self._head or os.fstat(file.fileno()).st_size < self._read:
                    self._forget()
                    self._head = head
                file.seek(self._read)
                self._hear(file.read())
        except FileNotFoundError:
            self._forget()

    @property
    def edits(self) -> Edits:
        """What the draft comes to."""
        return Edits(self._state.changed, self._state.deleted, self._state.added)

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
        return DELETED if number in self._state.deleted else EDITED if number in self._state.changed else ""

    def edit(self, number: int, row: Any) -> None:
        """Put `row` in the place of a row."""
        self.do(changed={number: row})

    def delete(self, numbers: Iterable[int]) -> None:
        """Leave rows out, those that the draft added too."""
        self.do(deleted=numbers)

    def restore(self, numbers: Iterable[int]) -> None:
        """Have rows as they are in the base."""
        self._append({"restore": sorted({int(number) for number in numbers})})

    def add(self, row: Any, before: int | None = None) -> int:
        """Put a row in before another, or at the end; its number, which is negative."""
        self.do(added=[Added(row, before)])
        return -self._state.put_in

    def do(self, changed: Mapping[int, Any] | None = None, deleted: Iterable[int] = (),
           added: Iterable[Added] = ()) -> None:
        """Several edits as one step, which is undone as one."""
        self._append({"edit": [[int(number), row] for number, row in (changed or {}).items()],
                      "delete": sorted({int(number) for number in deleted}),
                      "add": [[one.row, one.before, one.identity] for one in added]})

    def undo(self) -> bool:
        """Take the last step back; whether there was one."""
        return bool(self.steps) and self._append({"undo": 1})

    def redo(self) -> bool:
        """Do the step again that was last taken back; whether there was one."""
        return bool(self.undone) and self._append({"redo": 1})

    def discard(self) -> None:
        """Forget all edits."""
        discard(self.path)
        self.look()

    @contextmanager
    def held(self) -> Iterator[int]:
        """Keep others from changing the draft; gives the file's handle. Raises WorkError draft_busy after a while."""
        with _held(self.path) as handle:
            self.look()
            yield handle

    def digest(self) -> str:
        """A hash of the draft as it stands."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    def _append(self, step: Step) -> bool:
        with self.held() as handle:
            size = os.fstat(handle).st_size
            torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
            head = b"" if size else _line({"base": self.base, "stamps": self.stamps, "begun": time.time_ns()})
            try:
                _write_all(handle, b"\n" * torn + head + _line(step))
                os.fsync(handle)
            except OSError as error:
                os.ftruncate(handle, size)
                raise refused(self.path, error) from error
        self.look()
        return True

    def _forget(self) -> None:
        self._read, self._head = 0, b""
        self._steps, self._undone, self._state = list[Step](), list[Step](), _State()

    def _hear(self, data: bytes) -> None:
        """Take in what was appended, whole lines only."""
        first = not self._read
        data = data[:data.rfind(b"\n") + 1]
        self._read += len(data)
        for step in filter(None, map(_step, data.split(b"\n"))):
            if first:
                first = False
                if step.get("stamps") != self.stamps:
                    self._forget()
                    raise InputError("draft_outdated", path=str(self.path))
            elif "undo" in step:
                self._undone += self._steps[-1:]
                del self._steps[-1:]
                self._state = _State()
                for one in self._steps:
                    self._state.take(one)
            else:
                if "redo" in step and not self._undone:
                    continue
                step, self._undone = (self._undone[-1], self._undone[:-1]) if "redo" in step else (step, [])
                self._steps.append(step)
                self._state.take(step)


class _State:
    """What steps come to."""

    def __init__(self) -> None:
        self.changed: dict[int, Any] = {}
        self.deleted: set[int] = set()
        self.added: dict[int, Added] = {}
        self.put_in = 0

    def take(self, step: Step) -> None:
        """One step more."""
        for number, row in step.get("edit", ()):
            if number >= 0:
                self.changed[number] = row
                self.deleted.discard(number)
            elif number in self.added:
                self.added[number] = replace(self.added[number], row=row)
        for number in step.get("delete", ()):
            if number >= 0:
                self.deleted.add(number)
            self.added.pop(number, None)
        for number in step.get("restore", ()):
            self.deleted.discard(number)
            self.changed.pop(number, None)
        for row, before, identity in step.get("add", ()):
            self.put_in += 1
            self.added[-self.put_in] = Added(row, before, identity)


def discard(path: Path) -> None:
    """Forget the edits of a draft, even of one that fits its files no more."""
    if path.exists():
        with _held(path) as handle:
            os.ftruncate(handle, 0)


@contextmanager
def _held(path: Path) -> Iterator[int]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
    except OSError as error:
        raise refused(path, error) from error
    try:
        _lock(handle, path)
        yield handle
    finally:
        os.close(handle)


def _lock(handle: int, path: Path) -> None:
    give_up = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > give_up:
                raise WorkError("draft_busy", path=str(path)) from error
            time.sleep(0.05)


def _write_all(handle: int, data: bytes) -> None:
    while data:
        data = data[os.write(handle, data):]


def _line(step: Step) -> bytes:
    return json.dumps(step, ensure_ascii=False, separators=(",", ":")).encode("utf-8", errors="surrogatepass") + b"\n"


def _step(line: bytes) -> Step | None:
    """The step in a line; None for what a killed process left of one."""
    try:
        found = json.loads(line.decode("utf-8", errors="surrogatepass"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
