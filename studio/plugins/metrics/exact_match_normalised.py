"""Exact match after both sides are written one way: case, width, white space, punctuation, numbers."""

from __future__ import annotations

from studio.plugins.metrics import Row, accepted, plain

ORDER = 11
NEEDS = ("reference",)
SHARE = True
HIGHER = True
SCALE = 100


def score(answer: str, reference: str, row: Row) -> float | None:
    """1 for an answer that says the same as one of the accepted ones."""
    said = plain(answer)
    return float(any(said == (plain(one) or one) for one in accepted(reference, row)))
