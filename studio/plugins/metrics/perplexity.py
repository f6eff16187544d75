"""Perplexity: among how many equally likely tokens the model seems to choose."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from studio.plugins.metrics import NONE, Row

ORDER = 61
NEEDS = ("likelihood",)
SHARE = False
HIGHER = False
SCALE = 1
MOST_NATS = 700.0  # the largest number that exp still holds


def score(answer: str, reference: str, row: Row) -> float | None:
    """None: what the engine measures beside the answer cannot be told from its words."""
    return None


def parts(answer: str, reference: str, row: Row) -> tuple[float, ...] | None:
    """None, as for `score`."""
    return None


def total(sums: Sequence[float], options: Mapping[str, Any] = NONE) -> float:
    """The perplexity of all rows: `sums` are nats, tokens and bytes."""
    return math.exp(min(sums[0] / max(1.0, sums[1]), MOST_NATS))
