"""The shelf: what was exported before and what is being exported, with verdict, size and path; taken away and back."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.chats import lanes
from studio.errors import InputError, StudioError
from studio.exports.place import RECORD, Place
from studio.plugins import exporters, kinds
from studio.records import read_json
from studio.runs.files import RunFolder
from studio.runs.state import State
from studio.runs.store import Binned, RunStore
from studio.runs.summary import RunSummary
from studio.specs import export, works
from studio.specs.frozen import without_header
from studio.workspace import Workspace

REMOVED = "removed"  # a folder that stood elsewhere, kept inside its run while that lies in the bin


@dataclass(frozen=True)
class Exported:
    """One export: the run that made it (`name`), the model, run and step that it was made of, what came of it.

    `verdict` is passed, lossy, failed or unchecked, "" while there is none; `path` is None while nothing stands under
    its name, `is_there` tells whether everything that was written still does; `variant` is the kind of its form, where
    it has kinds.
    """

    name: str
    state: State
    form: str
    source: str
    run: str
    step: int | None
    created: float
    path: Path | None = None
    bytes: int = 0
    seconds: float = 0.0
    verdict: str = ""
    acceptance: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Mapping[str, Any], ...] = ()
    variant: str = ""

    @property
    def is_there(self) -> bool:
        """Whether the export stands where it was put, with every file in its size."""
        if self.path is None or not self.path.is_dir():
            return False
        return all(_size(self.path / str(one.get("name"))) == one.get("bytes") for one in self.files)


def exports(workspace: Workspace, store: RunStore | None = None) -> list[Exported]:
    """Every export, newest first, those under way and those that failed too; a kept `store` reads only what is new."""
    lines = (store or RunStore(workspace)).summaries()
    return [_line(line, workspace) for line in lines if line.stage == export.STAGE]


def find(name: str, workspace: Workspace) -> Exported:
    """The export of that run; raises InputError run_unknown, export_unknown."""
    folder = RunStore(workspace).find(name)
    found = next((one for one in exports(workspace) if one.name == folder.name), None)
    if found is None:
        raise InputError("export_unknown", name=folder.name)
    return found


def of_run(run: str, workspace: Workspace, store: RunStore | None = None) -> list[Exported]:
    """The exports that were made of one run."""
    return [one for one in exports(workspace, store) if one.run == run]


def record(folder: RunFolder) -> dict[str, Any]:
    """What the export wrote down at its end; {} before that."""
    return read_json(folder.results / RECORD) or {}


def delete(name: str, workspace: Workspace) -> Binned:
    """Take an export away, with its run, into the bin; `restore` undoes it.

    A folder elsewhere is moved into the run first. Raises InputError run_unknown, run_running, export_unknown.
    """
    found = find(name, workspace)
    folder = RunFolder(workspace.saves / found.name)
    if found.state.is_live:
        raise InputError("run_running", name=found.name)
    outside = found.path if found.is_there and found.path and not found.path.is_relative_to(folder.path) else None
    _discard(folder, workspace)
    if outside is not None:
        shutil.move(outside, folder.path / REMOVED)
    try:
        return RunStore(workspace).remove(found.name)
    except StudioError:
        if outside is not None:
            shutil.move(folder.path / REMOVED, outside)
        raise


def restore(name: str, workspace: Workspace) -> Exported:
    """Take an export out of the bin, its folder back where it stood; raises InputError run_unknown, export_exists."""
    folder = RunStore(workspace).restore(name)
    if (folder.path / REMOVED).is_dir():
        target = Path(str(record(folder).get("path")))
        if target.exists():
            raise InputError("export_exists", path=str(target))
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder.path / REMOVED, target)
    return find(folder.name, workspace)


def _line(line: RunSummary, workspace: Workspace) -> Exported:
    folder = RunFolder(workspace.saves / line.name)
    told, made = lanes.said(workspace, line.name), record(folder)
    run, _, step = line.model.partition("/step-")
    run = run if (workspace.saves / run).is_dir() else ""
    acceptance = made.get("acceptance")
    acceptance = acceptance if isinstance(acceptance, dict) else {}
    return Exported(
        line.name, line.state, str(made.get("form") or told.get("export_to") or ""),
        str(made.get("source") or line.model), str(made.get("run") or run),
        made.get("step") or (int(step) if run and step.isdigit() else None), line.created,
        _path(folder, made, workspace), int(made.get("bytes") or 0), float(made.get("seconds") or line.seconds),
        str(acceptance.get("state") or ""), acceptance,
        tuple(one for one in made.get("files") or () if isinstance(one, dict)), _variant(told))


def _variant(told: Mapping[str, Any]) -> str:
    """Which kind of its form an export is, where the form has kinds."""
    form = str(told.get("export_to") or "")
    module = exporters.exporter(form) if form in kinds("exporters") else None
    return str(module.variant(told)) if module is not None and hasattr(module, "variant") else ""


def _path(folder: RunFolder, made: Mapping[str, Any], workspace: Workspace) -> Path | None:
    """Where the export stands: as it was written down, else in its run, which may have got another name since."""
    said, own = made.get("path"), folder.export
    for path in ([Path(said)] if isinstance(said, str) else []) + [own] * bool(made):
        if path.is_dir() and path.resolve().is_relative_to(workspace.root.resolve()):
            return path
    return None


def _discard(folder: RunFolder, workspace: Workspace) -> None:
    """Remove what a failed or killed export left aside of its target."""
    try:
        spec = works.check(without_header(lanes.said(workspace, folder.name)))
        Place.of(spec, folder, workspace).discard()
    except StudioError:
        return  # a spec that cannot be read says no place


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
