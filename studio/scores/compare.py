"""Two models on the same rows: which rows the second has fixed and broken, and which stayed as they were."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np

from studio.plugins import kinds, plugin
from studio.scores.statistics import finite, is_yes_or_no

FIXED, BROKEN, SAME_RIGHT, SAME_WRONG, UNKNOWN = "fixed", "broken", "same_right", "same_wrong", "unknown"
BUCKETS = (FIXED, BROKEN, SAME_RIGHT, SAME_WRONG)
ALL_BUCKETS = (*BUCKETS, UNKNOWN)
HALF_RIGHT = 0.5
RIGHT = "right"  # whether an answer to the forgetting guard is one that its suite takes
_OWN = {RIGHT: SimpleNamespace(SHARE=True, HIGHER=True, SCALE=100)}
# Figures of likelihood, which have no plug-in: less is better.
LOWER = ("loss", "perplexity", "bits_per", "nats_per")


@dataclass(frozen=True)
class Buckets:
    """The bucket of every row, as its place in ALL_BUCKETS; unknown are rows that one of the two has no score for."""

    codes: np.ndarray
    threshold: float

    @property
    def counts(self) -> dict[str, int]:
        """How many rows each bucket has."""
        found = np.bincount(self.codes, minlength=len(ALL_BUCKETS))
        return {name: int(count) for name, count in zip(ALL_BUCKETS, found)}

    def rows(self, bucket: str) -> np.ndarray:
        """The places of the rows in a bucket, ascending."""
        return np.flatnonzero(self.codes == ALL_BUCKETS.index(bucket))


def buckets(before: np.ndarray, after: np.ndarray, threshold: float, higher: bool = True) -> Buckets:
    """The bucket of each row by its two scores; an answer is right from `threshold` on (down to it, unless higher)."""
    with np.errstate(invalid="ignore"):
        was, now = ((before >= threshold, after >= threshold) if higher
                    else (before <= threshold, after <= threshold))
    codes = np.select([~was & now, was & ~now, was & now], [0, 1, 2], 3).astype(np.int8)
    codes[~(np.isfinite(before) & np.isfinite(after))] = ALL_BUCKETS.index(UNKNOWN)
    return Buckets(codes, threshold)


def threshold_of(metric: str, *scores: np.ndarray, chosen: Mapping[str, float] | None = None) -> float:
    """From which score on an answer counts as right: chosen, the metric's own RIGHT, 1 for yes and no, else a half.

    Of scores that are no share the middle of what was seen.
    """
    if chosen and metric in chosen:
        return float(chosen[metric])
    declared = getattr(module_of(metric), "RIGHT", None)
    if declared is not None:
        return float(declared)
    seen = finite(np.concatenate([np.asarray(one, float) for one in scores])) if scores else np.zeros(0)
    if len(seen) and is_yes_or_no(seen):
        return 1.0
    is_share = getattr(module_of(metric), "SHARE", not len(seen) or bool((seen >= 0).all() and (seen <= 1).all()))
    return HALF_RIGHT if is_share or not len(seen) else float(np.median(seen))


def module_of(metric: str) -> Any:
    """The plug-in of a metric, or what the guard's own says of itself; None for other names (a judge's figure)."""
    return plugin("metrics", metric) if metric in kinds("metrics") else _OWN.get(metric)


def is_higher(metric: str) -> bool:
    """Whether more is better."""
    return getattr(module_of(metric), "HIGHER", not metric.startswith(LOWER)) is not False


def has_sides(metric: str) -> bool:
    """Whether one direction is better at all."""
    return getattr(module_of(metric), "HIGHER", True) is not None


def scale_of(metric: str) -> float:
    """What a score is multiplied with when it is shown."""
    return float(getattr(module_of(metric), "SCALE", 1))
