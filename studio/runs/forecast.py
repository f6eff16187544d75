"""Forecast: what a run will take (rows, steps, time, memory, disk), told before it is started and without torch."""

from __future__ import annotations

import math
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.data import mix
from studio.data.catalogue import Catalogue, Entry, count_rows, sources_of
from studio.data.model import ModelFacts, inspect, locate
from studio.data.prepare import Part, parts
from studio.plugins import plugin
from studio.runs import speed
from studio.specs.auto import resolve
from studio.specs.schedule import Schedule, held_out, schedule
from studio.workspace import Workspace

# A token is about three bytes of text as datasets spell it, keys and quotes counted in; a long row is four usual ones.
BYTES_PER_TOKEN = 3.0
LONG_ROW = 4
# Memory of a process with torch and transformers before any weight.
PROCESS_BYTES = 450_000_000
# Numbers kept for the way back per token, layer and unit of width: norms, projections, a gated MLP
# (Korthikanti et al. 2022, table 2, without the attention matrix, which is never kept whole).
KEPT_PER_WIDTH = 20
_DEVICE_SECONDS = 10.0


@dataclass(frozen=True)
class Forecast:
    """`rows` are those trained on, `eval_rows` those measured on; what cannot be known (a hub model) is None.

    Memory is of the fullest process and is an upper estimate; `memory_free` is of the machine, or of the GPU that has
    least. `measured` tells whether `seconds` come from an earlier run of the same kind.
    """

    rows: int
    eval_rows: int
    steps: int
    epochs: float
    seconds: float | None
    measured: bool
    trainable: int | None
    parameters: int | None
    memory_bytes: int | None
    memory_free: int | None
    disk_bytes: int | None
    learning_rate: float | None


def forecast(spec: Any, workspace: Workspace) -> Forecast:
    """The forecast of a checked spec; raises InputError for data or a model that is not there or not usable."""
    catalogue = Catalogue(workspace, spec.dataset_dir)
    chosen = parts(spec.dataset, catalogue)
    lengths = [_rows(spec, part) for part in chosen]
    rows = sum(lengths)
    has_own = bool(spec.eval_dataset) and spec.eval_strategy != "no"
    eval_rows = sum(_rows(spec, part) for part in parts(spec.eval_dataset, catalogue)) if has_own else \
        held_out(rows, spec.val_size) if spec.eval_strategy != "no" else 0
    share = 1.0 if has_own or not rows else (rows - eval_rows) / rows
    rows = round(share * mix.expected(lengths, spec.mix_strategy, spec.interleave_probs))
    length = _usual_length(spec, [part.entry for part in chosen])
    batches = _batches(spec, rows, length)
    plan = schedule(spec, batches, rows, eval_rows)
    folder = locate(spec.model_name_or_path, workspace)
    facts = inspect(folder) if folder else None
    trainable = plugin("tuners", spec.finetuning_type).trainable(facts, spec) if facts else 0
    seconds, was_measured = _seconds(spec, workspace, facts, trainable, plan, rows, eval_rows, batches, length)
    return Forecast(
        rows, eval_rows, plan.total, plan.total / plan.steps_per_epoch, seconds, was_measured,
        trainable if facts else None,
        facts.parameters if facts else None, _memory(spec, facts, trainable, length) if facts else None,
        free_memory(spec.devices), _disk(spec, facts, trainable, plan) if facts else None,
        resolve(spec, facts.parameters if facts else None).learning_rate)


def _rows(spec: Any, part: Part) -> int:
    limits = [most for most in (spec.max_samples, part.entry.num_samples, part.most) if most]
    return min(count_rows(part.entry), *limits, 10**12)


def _usual_length(spec: Any, entries: list[Entry]) -> float:
    """Tokens of a usual row, from the size of the files."""
    size = sum(source.size for entry in entries if entry.path for source in sources_of(entry))
    rows = sum(count_rows(entry) for entry in entries)
    return min(float(spec.cutoff_len), max(4.0, size / max(1, rows) / BYTES_PER_TOKEN))


def _batches(spec: Any, rows: int, length: float) -> int:
    """Micro-batches of an epoch for each process; a packed one holds as many rows as its tokens allow."""
    size = spec.per_device_train_batch_size
    per_batch = max(size, size * spec.cutoff_len / length) if spec.packing else size
    return max(1, math.ceil(rows / per_batch / (spec.nproc_per_node or 1)))


def _seconds(spec: Any, workspace: Workspace, facts: ModelFacts | None, trainable: int, plan: Schedule,
             rows: int, eval_rows: int, batches: int, length: float) -> tuple[float | None, bool]:
    """(seconds, whether measured): of training and, at a third of the price, of every evaluation."""
    epochs = plan.total / plan.steps_per_epoch
    evaluations = plan.total // plan.evaluate_every if plan.evaluate_every else 0
    tokens = length * (rows * epochs + eval_rows * evaluations / 3)
    if known := speed.measured(spec, workspace):
        return tokens / known + speed.START_SECONDS, True
    if facts is None or gpus(spec.devices):
        return None, False
    micro = plan.total * spec.gradient_accumulation_steps
    computed = speed.estimated(facts.parameters, trainable, facts.layers, tokens / (spec.nproc_per_node or 1), micro,
                               workspace)
    return (None if computed is None else computed + speed.START_SECONDS), False


def _memory(spec: Any, facts: ModelFacts, trainable: int, length: float) -> int:
    """Bytes: the process, the weights, what moves (float32 weight, gradient, states), the way back, the logits."""
    half = _computes_in_half(spec, facts)
    frozen = facts.parameters if spec.finetuning_type in ("lora", "prefix") else facts.parameters - trainable
    bits = spec.quantization_bit or (16 if half and spec.finetuning_type in ("lora", "prefix") else 32)
    states = {"adamw_8bit": 2, "paged_adamw_8bit": 2, "adafactor": 1, "sgd": 0}.get(spec.optim, 8)
    row = min(spec.cutoff_len, LONG_ROW * length)
    tokens = spec.per_device_train_batch_size * (spec.cutoff_len if spec.packing else row)
    kept = 2 if spec.gradient_checkpointing else KEPT_PER_WIDTH
    back = tokens * facts.layers * facts.hidden * kept * (2 if half else 4)
    logits = tokens * facts.vocab * 4 * 2
    one = PROCESS_BYTES + frozen * bits / 8 + trainable * (8 + states) + back + logits
    return int(one * (1 if gpus(spec.devices) else spec.nproc_per_node or 1))


def _computes_in_half(spec: Any, facts: ModelFacts) -> bool:
    return spec.compute_type in ("bf16", "fp16") or (spec.compute_type == "auto" and bool(gpus(spec.devices)))


def _disk(spec: Any, facts: ModelFacts, trainable: int, plan: Schedule) -> int:
    """Bytes of all checkpoints that are kept at a time: the weights and, for resuming, two states a moving weight."""
    weights = facts.parameters if spec.finetuning_type in ("full", "freeze") else trainable
    one = 4 * weights + (0 if spec.save_only_model else 8 * trainable) + 200_000
    made = max(1, math.ceil(plan.total / plan.save_every))
    return one * min(made, (spec.save_total_limit or made) + 1)


def free_memory(devices: str | None) -> int | None:
    """Free bytes: of the fullest of the GPUs that the run may use, else of the machine."""
    if found := gpus(devices):
        return min(found)
    import psutil

    return int(psutil.virtual_memory().available)


def gpus(devices: str | None) -> tuple[int, ...]:
    """Free bytes of each NVIDIA GPU that a run with this `devices` would see; asked at most every ten seconds."""
    if devices == "cpu":
        return ()
    found = _nvidia(int(time.monotonic() / _DEVICE_SECONDS))
    if not devices:
        return found
    chosen = [int(part) for part in devices.split(",") if part.strip().isdigit()]
    return tuple(found[number] for number in chosen if number < len(found))


@lru_cache(maxsize=1)
def _nvidia(moment: int) -> tuple[int, ...]:
    program = shutil.which("nvidia-smi")
    if program is None or not Path("/dev/nvidiactl").exists():
        return ()
    try:
        said = subprocess.run([program, "--query-gpu=memory.free", "--format=csv,noheader,nounits"],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=5, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(int(line) * 1024 * 1024 for line in said.split() if line.strip().isdigit())
