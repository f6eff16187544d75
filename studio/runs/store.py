"""RunStore: the runs of a workspace on disk: made, listed, found, renamed, put into the bin and taken back."""

from __future__ import annotations

import difflib
import errno
import os
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from studio.data import model
from studio.errors import InputError
from studio.records import write_atomically
from studio.runs import names
from studio.runs.files import RunFolder
from studio.runs.start import claimed, refusal
from studio.runs.state import state_of
from studio.runs.summary import RunSummary, Summarizer
from studio.specs import auto, frozen, works
from studio.workspace import STARTER, Workspace


@dataclass(frozen=True)
class Binned:
    """A removed run; `name` is its key in the bin, `original` what it was called, `removed` when (epoch seconds)."""

    name: str
    original: str
    removed: float
    path: Path


class RunStore:
    """All runs below `workspace.saves`."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self._summarizers: dict[str, Summarizer] = {}
        self._guard = threading.Lock()

    @property
    def _bin(self) -> Path:
        return self.workspace.saves / ".bin"

    def create(self, spec: Any, name: str | None = None, fingerprints: Mapping[str, str] | None = None) -> RunFolder:
        """Make the folder of a new run with its frozen spec, in one instant; nothing half-made is ever seen.

        The name is the given one, else what `output_dir` means, else a suggested one that finds itself a free
        number. Raises InputError (`name_…`, `saves_not_writable`, a model's fault) or WorkError `disk_full`.
        """
        typed = name or spec.output_dir
        wanted = self._name_of(spec, name)
        spec = _rooted(spec, self.workspace)
        if works.learns(spec):
            spec = auto.resolve(spec, _parameters(spec, self.workspace))
        text = frozen.freeze(spec, datetime.now().astimezone().isoformat(timespec="seconds"), fingerprints or {})
        aside = self.workspace.saves / f".new-{secrets.token_hex(6)}"
        try:
            aside.mkdir(parents=True)
            write_atomically(RunFolder(aside).spec, text)
            return RunFolder(self._placed(aside, wanted, is_typed=bool(typed)))
        except OSError as error:
            raise refusal(error, self.workspace.saves) from None
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def suggest_name(self, spec: Any) -> str:
        """The name that `create` would give, were it called now."""
        wanted = self._name_of(spec, None)
        return wanted if spec.output_dir else next(self._free(wanted))

    def find(self, name: str) -> RunFolder:
        """The run of that name, or at that path below saves; raises InputError `run_unknown` with the nearest."""
        path = Path(name.strip() or ".")
        folder = (path if len(path.parts) > 1 else self.workspace.saves / path).absolute()
        inside = Path(os.path.normpath(folder)).parent == self.workspace.saves.absolute()
        if inside and not folder.name.startswith(".") and _is_folder(folder):
            return RunFolder(Path(os.path.normpath(folder)))
        near = difflib.get_close_matches(path.name, self._names(), 1, 0.3)
        raise InputError("run_unknown_near" if near else "run_unknown", name=name, nearest=near[0] if near else "")

    def summaries(self) -> list[RunSummary]:
        """Every run, newest first, broken ones too; only what has changed since the last call is read."""
        with self._guard:
            found = self._names()
            self._summarizers = {name: self._summarizers.get(name)
                                 or Summarizer(RunFolder(self.workspace.saves / name)) for name in found}
            lines = [summarizer.summary() for summarizer in self._summarizers.values()]
        return sorted(lines, key=lambda line: (line.created, line.name), reverse=True)

    def rename(self, name: str, new: str) -> RunFolder:
        """Give an ended run another name; raises InputError `run_running`, `name_…`."""
        folder, target = self.find(name), self.workspace.saves / names.checked(new)
        with claimed(folder):
            self._refuse_live(folder)
            return RunFolder(_moved(folder.path, target))

    def remove(self, name: str) -> Binned:
        """Move an ended run into the bin; `restore` undoes it. Raises InputError `run_running`."""
        folder = self.find(name)
        with claimed(folder):
            self._refuse_live(folder)
            try:
                self._bin.mkdir(exist_ok=True)
            except OSError as error:
                raise refusal(error, self._bin) from None
            return _binned(_moved(folder.path, self._bin / f"{folder.name}~{time.time_ns() // 1_000_000}"))

    def bin(self) -> list[Binned]:
        """What lies in the bin, latest first."""
        try:
            found = [_binned(path) for path in self._bin.iterdir() if "~" in path.name]
        except OSError:
            return []
        return sorted(found, key=lambda entry: entry.removed, reverse=True)

    def restore(self, name: str) -> RunFolder:
        """Take a run out of the bin, by its key or its old name (the latest); under the next free number if taken."""
        entry = next((entry for entry in self.bin() if name in (entry.name, entry.original)), None)
        if entry is None:
            raise InputError("run_unknown", name=name, nearest="")
        try:
            return RunFolder(self._placed(entry.path, entry.original, is_typed=False))
        except OSError as error:
            raise refusal(error, self.workspace.saves) from None

    def empty_bin(self) -> int:
        """Delete what lies in the bin for good; how many runs it was."""
        entries = self.bin()
        for entry in entries:
            shutil.rmtree(entry.path, ignore_errors=True)
        return len(entries)

    def _name_of(self, spec: Any, name: str | None) -> str:
        if name:
            return names.checked(name)
        if spec.output_dir:
            return names.from_output_dir(spec.output_dir, self.workspace.saves)
        return names.suggested(spec)

    def _names(self) -> list[str]:
        try:
            with os.scandir(self.workspace.saves) as entries:
                return [entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir()]
        except OSError:
            return []

    def _free(self, name: str) -> Any:
        yield from (name for name in self._numbered(name) if not (self.workspace.saves / name).exists())

    def _numbered(self, name: str) -> Any:
        yield name
        number = 2
        while True:
            yield names.numbered(name, number)
            number += 1

    def _placed(self, path: Path, name: str, *, is_typed: bool) -> Path:
        """Move a folder to its name, or, when nobody typed the name, to the next free number of it."""
        for candidate in [name] if is_typed else self._free(name):
            try:
                return _moved(path, self.workspace.saves / candidate)
            except InputError:
                if is_typed:
                    raise
        raise AssertionError("numbers do not end")

    def _refuse_live(self, folder: RunFolder) -> None:
        if folder.process.exists() and state_of(folder).is_live:
            raise InputError("run_running", name=folder.name)


def _moved(path: Path, target: Path) -> Path:
    """Rename a folder that is not empty; the system refuses when the name is taken, however close the race."""
    if target.exists():
        raise InputError("name_taken", name=target.name)
    try:
        os.rename(path, target)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EISDIR):
            raise InputError("name_taken", name=target.name) from None
        raise refusal(error, target) from None
    return target


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False  # a name that no file system would take


def _binned(path: Path) -> Binned:
    original, _, stamp = path.name.rpartition("~")
    return Binned(path.name, original, int(stamp) / 1000 if stamp.isdigit() else 0.0, path)


def _rooted(spec: Any, workspace: Workspace) -> Any:
    """The spec with paths that are relative to the caller's folder made absolute: a run may be resumed anywhere.

    The name of a run stays as it is, whatever lies in that folder.
    """
    changes = {}
    for a in works.declared(spec.stage).values():
        value = getattr(spec, a.name)
        if a.path and value:
            rooted = _root(value) if isinstance(value, str) else [
                part if (workspace.saves / part).is_dir() else _root(part) for part in value]
            if rooted != value:
                changes[a.name] = rooted
    return spec.model_copy(update=changes) if changes else spec


def _root(text: str) -> str:
    path = Path(text).expanduser()
    return text if text == STARTER or not path.exists() else str(path.absolute())


def _parameters(spec: Any, workspace: Workspace) -> int | None:
    """How large the model is; None when it is not on this machine. Raises InputError when it is there and broken."""
    folder = model.locate(spec.model_name_or_path, workspace)
    return None if folder is None else int(model.inspect(folder).parameters)
