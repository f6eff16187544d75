"""The learning rate as a function of the step: the schedules of transformers.get_scheduler, number for number.

Being functions, they have no state to save. No torch here.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from studio.errors import InputError

Schedule = Callable[[int], float]
_SHAPES = ("linear", "cosine", "1-sqrt")


def factors(kind: str, warmup: int, total: int, rate: float, arguments: Mapping[str, Any]) -> Schedule:
    """step (from 0) → factor on the learning rate.

    Raises InputError scheduler_argument_unknown, scheduler_argument_missing, scheduler_argument_bad.
    """
    maker = _MAKERS[kind]
    allowed = list(inspect.signature(maker).parameters)[3:]
    for name in arguments:
        if name not in allowed:
            raise InputError("scheduler_argument_unknown", name=name, scheduler=kind,
                             known=", ".join(allowed) or "–")
    try:
        schedule = maker(warmup, total, rate, **arguments)
        for step in (0, warmup, total - 1):
            float(schedule(step))
    except (TypeError, ValueError, ZeroDivisionError) as error:
        raise InputError("scheduler_argument_bad", scheduler=kind, reason=str(error),
                         known=", ".join(allowed) or "–") from None
    return schedule


def _rising(step: int, warmup: int) -> float | None:
    return step / max(1, warmup) if step < warmup else None


def _constant(warmup: int, total: int, rate: float) -> Schedule:
    return lambda step: 1.0


def _constant_with_warmup(warmup: int, total: int, rate: float) -> Schedule:
    return lambda step: step / max(1.0, warmup) if step < warmup else 1.0


def _linear(warmup: int, total: int, rate: float) -> Schedule:
    def factor(step: int) -> float:
        rising = _rising(step, warmup)
        return rising if rising is not None else max(0.0, (total - step) / max(1, total - warmup))
    return factor


def _cosine(warmup: int, total: int, rate: float, num_cycles: float = 0.5) -> Schedule:
    return partial(_wave, warmup=warmup, total=total, cycles=float(num_cycles), least=0.0)


def _wave(step: int, warmup: int, total: int, cycles: float, least: float) -> float:
    rising = _rising(step, warmup)
    if rising is not None:
        return rising
    progress = (step - warmup) / max(1, total - warmup)
    factor = 0.5 * (1.0 + math.cos(math.pi * cycles * 2.0 * progress))
    return max(0.0, factor * (1 - least) + least)


def _cosine_with_min_lr(warmup: int, total: int, rate: float, num_cycles: float = 0.5, min_lr: float | None = None,
                        min_lr_rate: float | None = None) -> Schedule:
    if (min_lr is None) == (min_lr_rate is None):
        raise ValueError("min_lr | min_lr_rate")
    least = float(min_lr) / rate if min_lr is not None else float(min_lr_rate)  # type: ignore[arg-type]
    return partial(_wave, warmup=warmup, total=total, cycles=float(num_cycles), least=least)


def _cosine_with_restarts(warmup: int, total: int, rate: float, num_cycles: int = 1) -> Schedule:
    def factor(step: int) -> float:
        rising = _rising(step, warmup)
        if rising is not None:
            return rising
        progress = (step - warmup) / max(1, total - warmup)
        if progress >= 1.0:
            return 0.0
        return max(0.0, 0.5 * (1.0 + math.cos(math.pi * ((float(num_cycles) * progress) % 1.0))))
    return factor


def _polynomial(warmup: int, total: int, rate: float, lr_end: float = 1e-7, power: float = 1.0) -> Schedule:
    if not rate > lr_end:
        raise ValueError(f"lr_end {lr_end} ≥ learning_rate {rate}")

    def factor(step: int) -> float:
        rising = _rising(step, warmup)
        if rising is not None:
            return rising
        if step > total:
            return lr_end / rate
        left = 1 - (step - warmup) / max(1, total - warmup)
        return ((rate - lr_end) * left**power + lr_end) / rate
    return factor


def _inverse_sqrt(warmup: int, total: int, rate: float, timescale: int | None = None) -> Schedule:
    scale = warmup or 10_000 if timescale is None else timescale

    def factor(step: int) -> float:
        rising = _rising(step, warmup)
        return rising if rising is not None else 1.0 / math.sqrt((step + scale - warmup) / scale)
    return factor


def _warmup_stable_decay(warmup: int, total: int, rate: float, num_decay_steps: int | None = None,
                         num_stable_steps: int | None = None, warmup_type: str = "linear", decay_type: str = "cosine",
                         min_lr_ratio: float = 0.0, num_cycles: float = 0.5) -> Schedule:
    if num_decay_steps is None:
        raise ValueError("num_decay_steps")
    if warmup_type not in _SHAPES or decay_type not in _SHAPES:
        raise ValueError(f"warmup_type, decay_type: {', '.join(_SHAPES)}")
    stable = total - warmup - num_decay_steps if num_stable_steps is None else num_stable_steps

    def factor(step: int) -> float:
        if step < warmup:
            shape = _grown(warmup_type, step / max(1, warmup))
        elif step < warmup + stable:
            return 1.0
        elif step < warmup + stable + num_decay_steps:
            shape = _shrunk(decay_type, (step - warmup - stable) / max(1, num_decay_steps), num_cycles)
        else:
            return min_lr_ratio
        return max(0.0, shape * (1.0 - min_lr_ratio) + min_lr_ratio)
    return factor


def _grown(shape: str, progress: float) -> float:
    return {"linear": progress, "cosine": 0.5 * (1.0 - math.cos(math.pi * progress)),
            "1-sqrt": 1.0 - math.sqrt(1.0 - progress)}[shape]


def _shrunk(shape: str, progress: float, cycles: float) -> float:
    return {"linear": 1.0 - progress, "cosine": 0.5 * (1.0 + math.cos(math.pi * cycles * 2.0 * progress)),
            "1-sqrt": 1.0 - math.sqrt(progress)}[shape]


_MAKERS: dict[str, Callable[..., Schedule]] = {
    "constant": _constant, "constant_with_warmup": _constant_with_warmup, "linear": _linear, "cosine": _cosine,
    "cosine_with_min_lr": _cosine_with_min_lr, "cosine_with_restarts": _cosine_with_restarts,
    "polynomial": _polynomial, "inverse_sqrt": _inverse_sqrt, "warmup_stable_decay": _warmup_stable_decay,
}
