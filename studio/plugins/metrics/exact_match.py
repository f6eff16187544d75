"""Exact match: the answer is the reference, sign by sign."""

from __future__ import annotations

from studio.plugins.metrics import Row, accepted

ORDER = 10
NEEDS = ("reference",)
SHARE = True
HIGHER = True
SCALE = 100


def score(answer: str, reference: str, row: Row) -> float | None:
    """1 for an answer that equals one of the accepted ones, white space too."""
    return float(answer in accepted(reference, row))
