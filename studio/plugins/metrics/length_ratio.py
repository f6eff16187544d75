"""Length ratio: how long the answer is beside the reference; 1 is as long."""

from __future__ import annotations

from studio.plugins.metrics import Row, tokens

ORDER = 52
NEEDS = ("reference",)
SHARE = False
HIGHER: bool | None = None
SCALE = 1


def score(answer: str, reference: str, row: Row) -> float | None:
    """Words of the answer by words of the reference, Chinese by character; None for a reference without words."""
    wanted = len(tokens(reference))
    return len(tokens(answer)) / wanted if wanted else None
