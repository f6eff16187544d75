"""Whether a run fits into memory, and gradient checkpointing where it would not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from studio.engine.batching import Plan
from studio.engine.job import Job

# Numbers that a layer keeps for the way back per token and unit of width: norms, projections, a gated MLP.
_KEPT_PER_WIDTH = 20


def choose_checkpointing(job: Job, tuned: Any, plan: Plan) -> None:
    """Turn gradient checkpointing on when asked to, or when nothing was said and the activations would not fit."""
    wanted = job.spec.gradient_checkpointing
    if wanted is False or tuned.prefix is not None:
        return
    if wanted is None:
        needed, free = activations(job.facts, tuned, plan.longest_batch()), free_bytes()
        if needed <= 0.9 * free:
            return
        job.recorder.say("checkpointing", needed=f"{needed / 1e9:.1f}", free=f"{free / 1e9:.1f}")
    if tuned.model.supports_gradient_checkpointing:
        tuned.model.gradient_checkpointing_enable({"use_reentrant": False})


def activations(facts: Any, tuned: Any, tokens: int) -> float:
    """Bytes of a step beyond the weights: what is kept for the way back, gradients and optimizer states."""
    size = 2 if any(p.dtype in (torch.float16, torch.bfloat16) for p in tuned.model.parameters()) else 4
    kept = tokens * facts.layers * facts.hidden * _KEPT_PER_WIDTH * size
    return float(np.float64(kept) + 12.0 * tuned.count)


def free_bytes() -> float:
    """Free memory of the current GPU, else of the machine."""
    if torch.cuda.is_available():
        return float(torch.cuda.mem_get_info()[0])
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return 1024.0 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        return float("inf")
