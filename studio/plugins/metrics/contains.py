"""Contains: the reference stands in the answer, as words of its own."""

from __future__ import annotations

from studio.plugins.metrics import Row, accepted, plain, stands_in

ORDER = 14
NEEDS = ("reference",)
SHARE = True
HIGHER = True
SCALE = 100


def score(answer: str, reference: str, row: Row) -> float | None:
    """1 when an accepted answer is part of the answer; None for a reference without words."""
    wanted = [words for one in accepted(reference, row) if (words := plain(one))]
    return float(any(stands_in(words, plain(answer)) for words in wanted)) if wanted else None
