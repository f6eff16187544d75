"""Loss: how surprising the right answers are to the model, in nats a token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.plugins.metrics import NONE, Row

ORDER = 60
NEEDS = ("likelihood",)
SHARE = False
HIGHER = False
SCALE = 1


def score(answer: str, reference: str, row: Row) -> float | None:
    """None: what the engine measures beside the answer cannot be told from its words."""
    return None


def parts(answer: str, reference: str, row: Row) -> tuple[float, ...] | None:
    """None, as for `score`."""
    return None


def total(sums: Sequence[float], options: Mapping[str, Any] = NONE) -> float:
    """The mean of all rows: `sums` are nats, tokens and bytes."""
    return sums[0] / max(1.0, sums[1])
