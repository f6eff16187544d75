"""Rows that say nearly the same as an earlier row.

Two rows are near duplicates when their questions and their answers share about four fifths of their pieces and the
numbers in them are the same: neither sums that share a sentence nor questions that share an answer are. What is exactly
the same is the business of the check `duplicate`.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator

import numpy as np

from studio.plugins.checks import Case, Terms, Values, first_of_same
from studio.plugins.checks._likeness import Signed, alike

ORDER = 20
SEVERITY = "note"
FIX = "drop"
NEEDS = ""

MOST_ROWS = 1_500_000  # 0.6 GB of signatures; what lies beyond is not compared


class Likes:
    """Four hundred bytes a row."""

    def __init__(self) -> None:
        self.signed, self.keys = Signed(), array("Q")

    def see(self, case: Case) -> None:
        """Take the row's signature."""
        if len(self.keys) < MOST_ROWS and self.signed.add(case.number, case.question,
                                                          "\n".join(case.answers) or case.sample.text):
            self.keys.append(case.key)

    def finish(self) -> Iterator[tuple[int, Values]]:
        """Every row that is like an earlier one and not the same."""
        table, numbers = self.signed.table(), np.asarray(self.signed.keys, np.int64)
        kept = np.flatnonzero(first_of_same(np.asarray(self.keys, np.uint64)) == np.arange(len(numbers)))
        table = table[kept] if len(kept) < len(table) else table
        like, share = alike(table, np.asarray(self.signed.figures, np.uint64)[kept])
        for place in np.flatnonzero(like < np.arange(len(like))):
            yield (int(numbers[kept[place]]),
                   {"of": int(numbers[kept[like[place]]]), "share": round(float(share[place]) * 100)})


def whole(terms: Terms) -> Likes:
    """The check over all rows."""
    return Likes()
