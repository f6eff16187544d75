"""Preference: whether the chosen answer is likelier than the rejected one."""

from __future__ import annotations

from studio.plugins.metrics import Row

ORDER = 63
NEEDS = ("likelihood",)
SHARE = True
HIGHER = True
SCALE = 100


def score(answer: str, reference: str, row: Row) -> float | None:
    """None: what the engine measures beside the answer cannot be told from its words."""
    return None
