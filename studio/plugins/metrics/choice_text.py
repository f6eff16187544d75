"""Choice by the options' words: whether the right option's text is the likeliest."""

from __future__ import annotations

from studio.plugins.metrics import Row

ORDER = 65
NEEDS = ("likelihood",)
SHARE = True
HIGHER = True
SCALE = 100


def score(answer: str, reference: str, row: Row) -> float | None:
    """None: what the engine measures beside the answer cannot be told from its words."""
    return None
