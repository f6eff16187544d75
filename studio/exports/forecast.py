"""Forecast: how large an export will be, what memory and time it takes and what is free, told before and without torch.

Times come from earlier exports of the same form on this machine where there are any, else from arithmetic.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

from studio.data import model
from studio.exports.place import RECORD
from studio.exports.source import Source
from studio.plugins import exporters
from studio.records import read_json
from studio.runs import speed
from studio.runs.forecast import PROCESS_BYTES, free_memory
from studio.workspace import Workspace

# A process that writes tensors one after the other: Python, numpy, the file buffers.
WRITER_BYTES = 140_000_000
# What starting the programs that open source and result takes, and what a disk writes, read again and hashed.
START_SECONDS = 12.0
BYTES_PER_SECOND = 60e6
TOKENS_PER_ROW = 200
_MOST_RECORDS = 200
_ALIKE = 4.0


@dataclass(frozen=True)
class Forecast:
    """`bytes` of the result, `room_bytes` while it is made, which may be more; `memory_bytes` while it is written,
    `check_bytes` while it is compared with its source.

    `free_bytes` are free on the disk it goes to, `memory_free` in the machine; None is not known. `measured` tells that
    `seconds` come from an earlier export.
    """

    bytes: int
    room_bytes: int
    memory_bytes: int
    check_bytes: int
    seconds: float | None
    measured: bool
    free_bytes: int
    memory_free: int | None

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return self.room_bytes <= self.free_bytes

    @property
    def can_be_checked(self) -> bool:
        """Whether there is memory to compare it with its source, as far as can be told."""
        return self.memory_free is None or self.check_bytes <= self.memory_free


def forecast(spec: Any, source: Source, workspace: Workspace | None = None) -> Forecast:
    """The forecast of a checked spec for its source; raises what `model.inspect` and the form's `size` raise."""
    workspace = workspace or Workspace.at()
    form, facts = exporters.exporter(spec.export_to), model.inspect(source.base, packed=True)
    size = int(form.size(source, spec))
    needs = getattr(exporters.innermost(spec), "memory", None)
    largest = max((prod(shape) for shape, _ in facts.tensors.values()), default=0)
    memory = int(needs(source, spec)) if needs else WRITER_BYTES + min(4 * largest, WRITER_BYTES)
    known = earlier(spec.export_to, size, workspace)
    seconds = known if known is not None else _computed(spec, size, facts.parameters, facts.layers, workspace)
    return Forecast(size, room(form, source, spec), memory, PROCESS_BYTES + 4 * facts.parameters, seconds,
                    known is not None, free_disk(target_of(spec, workspace)), free_memory(spec.devices))


def room(form: Any, source: Source, spec: Any) -> int:
    """Bytes that the disk must have free: of an archive, what it is made of lies beside it for a while."""
    inner = exporters.innermost(spec)
    fullest = max(int(one.size(source, spec)) if not hasattr(one, "room") else int(one.room(source, spec))
                  for one in (form, inner))
    return fullest + (int(form.size(source, spec)) if hasattr(form, "pack") else 0)


def earlier(form: str, size: int, workspace: Workspace) -> float | None:
    """Seconds of the latest export of the same form and about the same size; None when there is none."""
    for record in _records(workspace):
        before = float(record.get("bytes") or 0)
        seconds = record.get("seconds")
        if record.get("form") == form and before and isinstance(seconds, int | float) \
                and 1 / _ALIKE <= size / before <= _ALIKE:
            return float(seconds) * max(0.5, size / before)
    return None


def target_of(spec: Any, workspace: Workspace) -> Path:
    """Where the result is going to stand, as far as that is known before its run has a name."""
    if not spec.export_dir:
        return workspace.saves
    path = Path(spec.export_dir).expanduser()
    return path if path.is_absolute() else workspace.root / path


def free_disk(path: Path) -> int:
    """Bytes that are free where this path is or is going to be."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


def _computed(spec: Any, size: int, parameters: int, layers: int, workspace: Workspace) -> float | None:
    """Seconds by arithmetic: starting, writing, and both models answering the rows that are compared."""
    tokens = 2.0 * spec.acceptance_rows * TOKENS_PER_ROW
    answering = speed.estimated(parameters, 0, layers, tokens, 2 * spec.acceptance_rows, workspace)
    return None if answering is None else START_SECONDS + size / BYTES_PER_SECOND + answering


def _records(workspace: Workspace) -> list[dict[str, Any]]:
    """What earlier exports wrote down, latest first."""
    found = []
    try:
        with os.scandir(workspace.saves) as entries:
            for entry in entries:
                path = Path(entry.path, "results", RECORD)
                if not entry.name.startswith(".") and path.is_file():
                    found.append((path.stat().st_mtime, path))
    except OSError:
        return []
    return [record for _, path in sorted(found, reverse=True)[:_MOST_RECORDS] if (record := read_json(path))]
