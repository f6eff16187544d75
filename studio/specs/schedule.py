"""How many rows are held out and how many steps a run takes; one arithmetic for forecast, page and engine."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from studio.specs.rules import has_evaluation

MOST_HELD_OUT = 300
EVALUATION_SHARE = 0.05
MOST_EVALUATIONS = 10


def held_out(rows: int, val_size: float) -> int:
    """How many of `rows` the validation split takes: a share below 1 (at most 300 rows), else a number of rows."""
    if val_size <= 0 or rows < 2:
        return 0
    wanted = max(1, min(round(rows * val_size), MOST_HELD_OUT)) if val_size < 1 else int(val_size)
    return min(wanted, rows - 1)


@dataclass(frozen=True)
class Schedule:
    """The steps of a run; `evaluate_every` is 0 when nothing is evaluated."""

    steps_per_epoch: int
    total: int
    warmup: int
    evaluate_every: int
    save_every: int


def schedule(spec: Any, batches: int, train_rows: int, eval_rows: int) -> Schedule:
    """The steps of a run whose epoch has `batches` micro-batches a process.

    Evaluation left to the studio costs about five per cent of the training: forward only is a third of a step's work.
    """
    per_epoch = max(1, math.ceil(batches / spec.gradient_accumulation_steps))
    total = spec.max_steps if spec.max_steps > 0 else max(1, math.ceil(per_epoch * spec.num_train_epochs))
    warmup = spec.warmup_steps or math.ceil(total * spec.warmup_ratio)
    evaluate_every = _evaluate_every(spec, per_epoch, total, train_rows, eval_rows)
    return Schedule(per_epoch, total, warmup, evaluate_every, _save_every(spec, per_epoch, total, evaluate_every))


def _save_every(spec: Any, per_epoch: int, total: int, evaluate_every: int) -> int:
    """Steps between checkpoints; the last step is always saved, with `save_strategy: no` it alone."""
    if spec.save_strategy == "no":
        return total
    if spec.save_strategy == "epoch":
        return per_epoch
    return spec.save_steps or evaluate_every or max(1, math.ceil(total / MOST_EVALUATIONS))


def _evaluate_every(spec: Any, per_epoch: int, total: int, train_rows: int, eval_rows: int) -> int:
    if not eval_rows or not has_evaluation(spec):
        return 0
    if spec.eval_strategy == "epoch":
        return per_epoch
    if spec.eval_steps:
        return int(spec.eval_steps)
    seen = train_rows * total / per_epoch
    times = min(MOST_EVALUATIONS, max(1, int(3 * EVALUATION_SHARE * seen / eval_rows)))
    return max(1, math.ceil(total / times))
