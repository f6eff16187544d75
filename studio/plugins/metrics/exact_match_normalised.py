"""Exact match after both sides are written one way: case, width, white space, punctuation, numbers."""

from __future__ import annotations

from studio.plugins.metrics import Row, accepted, narrow, plain

ORDER = 11
NEEDS = ("reference",)
SHARE = True
HIGHER = True
SCALE = 100


def score(answer: str, reference: str, row: Row) -> float | None:
    """1 for an answer that says the same as one of the accepted ones."""
    return float(_said(answer) in map(_said, accepted(reference, row)))


def _said(text: str) -> str:
    """What a text says; one of signs alone says its signs."""
    return plain(text) or narrow(text).strip()
