"""The evaluations that asked the very weights that are exported."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.args import document
from studio.errors import StudioError
from studio.exports.source import Source
from studio.records import read_json
from studio.runs.checkpoints import result
from studio.runs.files import RunFolder
from studio.scores import guard, summary
from studio.scores.guard import Guard
from studio.scores.summary import NAME, Summary
from studio.specs.works import EVALUATE
from studio.workspace import Workspace

MOST = 5


@dataclass(frozen=True)
class Evaluation:
    """What one evaluation found: `own` is the exported model's name in it, `base` that of the model it began from.

    `asked` are the datasets, exams or tasks, () for the rows that training held out; `leaked` how many of the rows
    stood in the training set, None where nobody looked.
    """

    name: str
    made: float
    own: str
    base: str
    summary: Summary | None
    guard: Guard | None
    asked: tuple[str, ...]
    leaked: int | None

    @property
    def day(self) -> str:
        """When it was made."""
        return time.strftime("%Y-%m-%d", time.localtime(self.made))


def names(source: Source, workspace: Workspace) -> tuple[str, ...]:
    """What the exported weights are called in evaluations; () for a mix that has no name of its own."""
    if not source.run:
        return () if source.parts and len(source.parts) > 1 else (source.name,)
    if source.name not in (source.run, f"{source.run}/step-{source.step}") or source.step is None:
        return ()
    best = result(RunFolder(workspace.saves / source.run))
    own = f"{source.run}/step-{source.step}"
    return (own, source.run) if best is not None and best.step == source.step else (own,)


def evaluations(source: Source, workspace: Workspace) -> tuple[Evaluation, ...]:
    """The newest evaluations of these weights, newest first; what was asked before they were written, was of others."""
    own = names(source, workspace)
    if not own:
        return ()
    since = _written(source, workspace)
    found = [one for path in _folders(workspace) if (one := _evaluation(path, own, source)) and one.made >= since]
    return tuple(sorted(found, key=lambda one: -one.made)[:MOST])


def _folders(workspace: Workspace) -> Iterator[Path]:
    try:
        yield from sorted({path.parent.parent for path in workspace.saves.glob("*/results/*.json")
                           if path.name in (NAME, guard.NAME) and not path.parent.parent.name.startswith(".")})
    except OSError:
        return


def _written(source: Source, workspace: Workspace) -> float:
    if not source.run:
        return 0.0
    try:
        return (RunFolder(workspace.saves / source.run).checkpoint(source.step or 0) / "complete").stat().st_mtime
    except OSError:
        return 0.0


def _evaluation(path: Path, own: tuple[str, ...], source: Source) -> Evaluation | None:
    """What stands in a run's results; None where these weights were not asked."""
    folder = RunFolder(path)
    try:
        spec = document.read(folder.spec)
    except StudioError:
        return None
    found, kept = summary.load(folder.results), guard.load(folder.results)
    models = found.models if found is not None else kept.models if kept is not None else ()
    mine = next((name for name in own if name in models), "")
    if not mine or (spec.get("stage") != EVALUATE and path.name != source.run):
        return None
    base = next((name for name in models if name == "base" or name == source.base_name), "")
    return Evaluation(path.name, _made(folder), mine, base if base != mine else "", found,
                      kept if kept is not None and mine in kept.models else None,
                      _asked(spec, source.told), _leaked(folder))


def _made(folder: RunFolder) -> float:
    times = [path.stat().st_mtime for name in (NAME, guard.NAME) if (path := folder.results / name).is_file()]
    return max(times, default=0.0)


def _asked(spec: Mapping[str, Any], trained: Mapping[str, Any]) -> tuple[str, ...]:
    said = spec.get("dataset") if spec.get("stage") == EVALUATE else []
    said = said or trained.get("eval_dataset")
    return tuple(Path(str(name)).name for name in said) if isinstance(said, list) else ()


def _leaked(folder: RunFolder) -> int | None:
    found = read_json(folder.results / "leaks.json")
    if found is None:
        return None
    parts = [found.get(name) for name in ("exact", "near")]
    return sum(len(part) for part in parts if isinstance(part, list))
