"""Exact match by the last number: what a sum came to, however it is told."""

from __future__ import annotations

from studio.plugins.metrics import Row, accepted, last_value

ORDER = 12
NEEDS = ("reference",)
SHARE = True
HIGHER = True
SCALE = 100


def score(answer: str, reference: str, row: Row) -> float | None:
    """1 when the last numbers are equal; None for a reference without a number."""
    wanted = {last_value(one) for one in accepted(reference, row)} - {None}
    return float(last_value(answer) in wanted) if wanted else None
