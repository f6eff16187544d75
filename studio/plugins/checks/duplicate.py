"""Rows that say exactly the same as an earlier row, white space around the words aside."""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from studio.plugins.checks import Case, Terms, Values, first_of_same

ORDER = 10
SEVERITY = "warning"
FIX = "drop"
HARMLESS = True
NEEDS = ""


class Keys:
    """Sixteen bytes a row."""

    def __init__(self) -> None:
        self.keys, self.numbers = array("Q"), array("q")

    def see(self, case: Case) -> None:
        """Remember the row's key."""
        self.keys.append(case.key)
        self.numbers.append(case.number)

    def finish(self) -> Iterator[tuple[int, Values]]:
        """Every row after the first that says the same."""
        numbers = np.asarray(self.numbers, np.int64)
        first = first_of_same(np.asarray(self.keys, np.uint64))
        for place in np.flatnonzero(first != np.arange(len(first))):
            yield int(numbers[place]), {"of": int(numbers[first[place]])}


def whole(terms: Terms) -> Keys:
    """The check over all rows."""
    return Keys()
