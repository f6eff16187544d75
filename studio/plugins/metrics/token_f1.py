"""Token F1: which words the answer shares with the reference, Chinese by character."""

from __future__ import annotations

from studio.plugins.metrics import Row, accepted, overlap, tokens

ORDER = 20
NEEDS = ("reference",)
SHARE = True
HIGHER = True
SCALE = 100


def score(answer: str, reference: str, row: Row) -> float | None:
    """The F1 of the words, with the accepted answer that fits best."""
    return max(overlap(tokens(answer), tokens(one)) for one in accepted(reference, row))
