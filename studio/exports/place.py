"""Where an export goes: written aside, then renamed, so that its name stands for nothing or for a whole export."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import InputError, WorkError
from studio.records import read_json, write_json
from studio.runs.files import RunFolder
from studio.workspace import Workspace

RECORD = "export.json"
_WRITTEN = ".written"
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Place:
    """`target` is the finished folder, `aside` where it is made, on the same disk; `record` says what was made."""

    target: Path
    aside: Path
    record: Path

    @classmethod
    def of(cls, spec: Any, run: RunFolder, workspace: Workspace) -> Place:
        """The place of an export: `export_dir`, else `export/` in its run; raises InputError export_outside."""
        target = run.export if not spec.export_dir else Path(spec.export_dir).expanduser()
        target = (target if target.is_absolute() else workspace.root / target).resolve()
        if not target.is_relative_to(workspace.root.resolve()) or target == workspace.root.resolve():
            raise InputError("export_outside", path=str(target), root=str(workspace.root))
        return cls(target, target.with_name(f".{target.name}.{run.name}.part"), run.results / RECORD)

    @property
    def written(self) -> bool:
        """Whether the form has made all its files aside; only the acceptance and what follows are missing."""
        return (self.aside / _WRITTEN).is_file()

    @property
    def finished(self) -> bool:
        """Whether this very export already stands under its name."""
        record = read_json(self.record)
        return record is not None and record.get("path") == str(self.target) and self.target.is_dir()

    def begin(self, size: int) -> None:
        """An empty folder aside, on a disk with room for `size` bytes.

        Raises InputError export_exists, WorkError disk_short.
        """
        if self.target.exists():
            raise InputError("export_exists", path=str(self.target))
        shutil.rmtree(self.aside, ignore_errors=True)
        self.aside.mkdir(parents=True)
        free = shutil.disk_usage(self.aside).free
        if free < size:
            shutil.rmtree(self.aside, ignore_errors=True)
            raise WorkError("disk_short", path=str(self.target), needed=sized(size), free=sized(free))

    def mark_written(self) -> None:
        """Say that the form is done; a run that goes on begins behind this."""
        _force(self.aside)
        (self.aside / _WRITTEN).touch()

    def finish(self, record: dict[str, Any]) -> None:
        """Give the folder its name and write the record; raises InputError export_exists."""
        if self.target.exists():
            raise InputError("export_exists", path=str(self.target))
        (self.aside / _WRITTEN).unlink(missing_ok=True)
        _force(self.aside)
        self.record.parent.mkdir(exist_ok=True)
        write_json(self.record, record)
        os.rename(self.aside, self.target)
        _force_folder(self.target.parent)

    def discard(self) -> None:
        """Leave nothing aside."""
        shutil.rmtree(self.aside, ignore_errors=True)


def sized(count: float) -> str:
    """Bytes in the unit that fits."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


def manifest(folder: Path, stay: Callable[[], None]) -> list[dict[str, Any]]:
    """name, bytes and sha256 of every file in a folder, by name."""
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _WRITTEN):
        found.append({"name": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size,
                      "sha256": digest(path, stay)})
    return found


def digest(path: Path, stay: Callable[[], None]) -> str:
    """The sha256 of a file, read by the block."""
    made = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            made.update(block)
            stay()
    return made.hexdigest()


def _force(folder: Path) -> None:
    """Everything in the folder is on the disk when this returns."""
    for path in folder.rglob("*"):
        if path.is_file():
            with open(path, "rb") as file:
                os.fsync(file.fileno())
    _force_folder(folder)


def _force_folder(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
