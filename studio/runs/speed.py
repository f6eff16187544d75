"""How long a run will take: measured on earlier runs of the same kind, else estimated from arithmetic."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from studio.args import document
from studio.errors import StudioError
from studio.records import write_json
from studio.runs.files import RunFolder
from studio.runs.summary import parsed
from studio.workspace import Workspace

# What every start costs before the first step, in seconds: loading the libraries and the model.
START_SECONDS = 4.0
# Share of a large matrix product's speed that a step of training reaches, and the cost of one micro-batch in small
# operations per layer; both measured on two CPU cores with models of one to sixty million parameters.
EFFICIENCY = 0.8
SECONDS_PER_LAYER = 0.003
_TAIL_BYTES = 16384
_MOST_RUNS = 50


def measured(spec: Any, workspace: Workspace) -> float | None:
    """Tokens per second in the latest run with the same model, tuner and numbers; None when there is none."""
    try:
        with os.scandir(workspace.saves) as entries:
            logs = [(found.stat().st_mtime, Path(entry.path)) for entry in entries if not entry.name.startswith(".")
                    for found in [Path(entry.path, "trainer_log.jsonl")] if found.is_file()]
    except OSError:
        return None
    for _, path in sorted(logs, reverse=True)[:_MOST_RUNS]:
        folder = RunFolder(path)
        if _alike(folder, spec) and (speed := _speed(folder)):
            return speed
    return None


def estimated(parameters: int, trainable: int, layers: int, tokens: float, batches: int,
              workspace: Workspace) -> float | None:
    """Seconds by arithmetic: two operations a weight forward, two back, two more a weight that moves (Kaplan 2020).

    The machine's speed is that of a matrix product in numpy, timed once and kept in the cache.
    """
    speed = _product_speed(workspace)
    if speed is None:
        return None
    return tokens * (4 * parameters + 2 * trainable) / (EFFICIENCY * speed) + batches * layers * SECONDS_PER_LAYER


def _alike(folder: RunFolder, spec: Any) -> bool:
    """Whether a run had the same model, tuner, numbers and processes; its spec is read once a change."""
    try:
        known = _specs.get(folder.path)
        changed = folder.spec.stat().st_mtime_ns
        if known is None or known[0] != changed:
            known = _specs[folder.path] = (changed, document.read(folder.spec))
    except (OSError, StudioError):
        return False
    names = ("model_name_or_path", "finetuning_type", "compute_type", "quantization_bit", "nproc_per_node", "devices",
             "cpu_threads", "gradient_checkpointing", "per_device_train_batch_size", "packing")
    return all(known[1].get(name) == getattr(spec, name) for name in names)


_specs: dict[Path, tuple[int, dict[str, Any]]] = {}


def _speed(folder: RunFolder) -> float | None:
    """The middle one of the speeds in the tail of a log."""
    try:
        with open(folder.log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL_BYTES))
            rows = [parsed(line) for line in file.read().splitlines()]
    except OSError:
        return None
    speeds = sorted(float(row["tokens_per_second"]) for row in rows
                    if isinstance(row.get("tokens_per_second"), int | float) and row["tokens_per_second"] > 0)
    return speeds[len(speeds) // 2] if speeds else None


def _product_speed(workspace: Workspace) -> float | None:
    """Operations per second of a float32 matrix product on this machine."""
    place = workspace.cache / "speed.json"
    try:
        known = json.loads(place.read_text(encoding="utf-8"))
        if known["cores"] == os.cpu_count():
            return float(known["operations_per_second"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # not timed yet
    speed = _timed()
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_json(place, {"cores": os.cpu_count(), "operations_per_second": speed})
    except OSError:
        return speed  # a cache that cannot be written costs time, nothing else
    return speed


def _timed() -> float:
    import numpy as np

    size = 384
    matrix = np.ones((size, size), np.float32)
    matrix @ matrix
    best = 1.0
    for _ in range(5):
        began = time.perf_counter()
        matrix @ matrix
        best = min(best, time.perf_counter() - began)
    return 2 * size**3 / best
