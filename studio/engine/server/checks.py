"""What is checked before weights answer: that they fit into memory, what they are, that a checkpoint does something."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from studio.data.model import ModelFacts
from studio.engine.loading import weight_files
from studio.engine.numerics import Numbers
from studio.errors import WorkError
from studio.records import read_json, write_json
from studio.workspace import Workspace

_CGROUP = Path("/sys/fs/cgroup")
# Weights are read, cast and put in place one file after another; so much more than the weights is in use meanwhile.
_WHILE_LOADING = 1.1
_PROBE_IDS = (3, 5, 7, 11, 13, 17, 19, 23)


def needed_bytes(facts: ModelFacts, numbers: Numbers, quantization_bit: int | None) -> int:
    """What a model takes while it is loaded."""
    each = {8: 1.1, 4: 0.6}.get(quantization_bit or 0, float(numbers.stored.itemsize))
    return int(facts.parameters * each * _WHILE_LOADING)


def available_bytes() -> int:
    """What this process may still take: of the machine, or of the control group that it is kept in."""
    import psutil

    free = int(psutil.virtual_memory().available)
    try:
        most = int((_CGROUP / "memory.max").read_text())
        used = int((_CGROUP / "memory.current").read_text())
        cache = next((int(line.split()[1]) for line in (_CGROUP / "memory.stat").read_text().splitlines()
                      if line.startswith("inactive_file ")), 0)
    except (OSError, ValueError):
        return free
    return min(free, max(0, most - used + cache))


def fits(facts: ModelFacts, numbers: Numbers, quantization_bit: int | None) -> None:
    """Say no before anything is read; raises WorkError lane_memory_short."""
    if numbers.device.type != "cpu":
        return
    needed, free = needed_bytes(facts, numbers, quantization_bit), available_bytes()
    if needed > free:
        raise WorkError("lane_memory_short", name=facts.folder.name, needed=round(needed / 1e9, 1),
                        free=round(free / 1e9, 1))


def base_hash(folder: Path, workspace: Workspace) -> str:
    """The sha256 of a model's weight files in order; computed once as long as path, size and time stay the same."""
    files = weight_files(folder)
    stats = [[str(file.resolve()), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    key = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
    record = workspace.cache / "hashes" / f"{key}.json"
    said = read_json(record) or {}
    if said.get("files") == stats and isinstance(said.get("sha256"), str):
        return str(said["sha256"])
    digest = hashlib.sha256()
    for file in files:
        with open(file, "rb") as stream:
            while chunk := stream.read(1 << 22):
                digest.update(chunk)
    with suppress(OSError):  # where the workspace cannot be written to, it is computed again next time
        record.parent.mkdir(parents=True, exist_ok=True)
        write_json(record, {"files": stats, "sha256": digest.hexdigest()})
    return digest.hexdigest()


def probe_ids(vocabulary: int) -> tuple[int, ...]:
    """A few tokens that every model has, on which checkpoints are compared with their base."""
    return tuple(one % vocabulary for one in _PROBE_IDS)


def differ(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two rows of logits are not the same numbers."""
    return bool((a.float() != b.float()).any())


def parameter_bytes(model: Any) -> int:
    """What a model's weights and buffers take."""
    tensors = {t.data_ptr(): t for t in (*model.parameters(), *model.buffers())}
    return sum(t.numel() * t.element_size() for t in tensors.values())
