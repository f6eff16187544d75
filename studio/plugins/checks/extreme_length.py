"""Rows that are far longer than the others."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from studio.plugins.checks import Case, Terms, Values

ORDER = 90
SEVERITY = "note"
FIX = ""
NEEDS = ""

TIMES = 20
LEAST = 4_000  # characters; what is shorter fits any model


class Lengths:
    """Twelve bytes a row."""

    def __init__(self) -> None:
        self.lengths, self.numbers = array("I"), array("q")

    def see(self, case: Case) -> None:
        """Remember the row's length."""
        self.lengths.append(min(len(case.text), (1 << 32) - 1))
        self.numbers.append(case.number)

    def finish(self) -> Iterator[tuple[int, Values]]:
        """Every row of LEAST characters that has TIMES as many as the median row."""
        lengths = np.asarray(self.lengths, np.int64)
        if not len(lengths):
            return
        median = float(np.median(lengths))
        for place in np.flatnonzero(lengths > max(LEAST, TIMES * median)):
            yield self.numbers[place], {"length": int(lengths[place]), "median": round(median)}


def whole(terms: Terms) -> Lengths:
    """The check over all rows."""
    return Lengths()
