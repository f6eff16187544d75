"""The checkpoints of a run, and which of them is its result."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.args import document
from studio.errors import StudioError
from studio.records import read_json
from studio.runs.files import RunFolder
from studio.workspace import Workspace


@dataclass(frozen=True)
class Checkpoint:
    """One complete checkpoint; `last` has the highest step.

    `best` has the lowest evaluation loss, or of a run with a metric (`eval_metric`) the best value of that.
    """

    step: int
    path: Path
    loss: float | None
    eval_loss: float | None
    bytes: int
    best: bool
    last: bool
    eval_metric: float | None = None


def checkpoints(folder: RunFolder) -> list[Checkpoint]:
    """The complete checkpoints by step; a half-written one is not listed."""
    steps = folder.complete_steps()
    states = {step: read_json(folder.checkpoint(step) / "state.json") or {} for step in steps}
    scores = {step: loss for step in steps if (loss := _number(states[step], "eval_loss")) is not None}
    places = {step: place for step in steps if (place := standing(states[step])) is not None}
    best = min(places, key=lambda step: places[step], default=None)
    return [Checkpoint(step, folder.checkpoint(step), _number(states[step], "loss"), scores.get(step),
                       _size(folder.checkpoint(step)), step == best, step == steps[-1],
                       _number(states[step], "eval_metric")) for step in steps]


def standing(state: dict[str, Any]) -> tuple[float, float] | None:
    """How good a checkpoint is, less being better: by its metric where it has one, then by its evaluation loss."""
    loss, rank = _number(state, "eval_loss"), _number(state, "eval_rank")
    return None if loss is None else (loss if rank is None else rank, loss)


def result(folder: RunFolder) -> Checkpoint | None:
    """What the run is to be judged by: the best checkpoint unless `load_best_model_at_end` is off, else the last."""
    found = checkpoints(folder)
    if not found:
        return None
    best = next((one for one in found if one.best), None)
    return best if best is not None and _wants_best(folder) else found[-1]


def adapter_folder(name: str, workspace: Workspace) -> Path | None:
    """The folder of an adapter: a run (its result), `<run>/step-<n>`, else a path; None when there is none."""
    run, _, step = name.rpartition("/")
    for path in (workspace.saves / name, workspace.saves / run / "checkpoints" / step, Path(name).expanduser(),
                 workspace.root / name):
        if path.is_dir():
            found = result(RunFolder(path)) if (path / "checkpoints").is_dir() else None
            return found.path if found is not None else path.resolve()
    return None


def _wants_best(folder: RunFolder) -> bool:
    try:
        return document.read(folder.spec).get("load_best_model_at_end") is not False
    except StudioError:
        return True


def _size(path: Path) -> int:
    """Bytes on disk; a complete checkpoint does not change, so it is measured once."""
    try:
        return _measured(path, os.stat(path / "complete").st_mtime_ns)
    except OSError:
        return 0


@lru_cache(maxsize=4096)
def _measured(path: Path, completed: int) -> int:
    total = 0
    for room, _, names in os.walk(path):
        total += sum(os.lstat(os.path.join(room, name)).st_size for name in names)
    return total


def _number(values: dict[str, Any], name: str) -> float | None:
    value = values.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0
    return float(value) if is_number else None  # type: ignore[arg-type]
