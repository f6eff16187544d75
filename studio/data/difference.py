"""The difference between two versions of a dataset: rows that were edited, deleted and added, by who they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from studio.data.index import RowIndex


@dataclass(frozen=True)
class Change:
    """One row that differs: `kind` is edited, deleted or added; numbers and rows are None where there is no row."""

    kind: str
    number_before: int | None
    number_after: int | None
    before: Any
    after: Any


@dataclass(frozen=True)
class Difference:
    """What differs between two versions; `edited` has a pair of row numbers a row, the others one number."""

    before: RowIndex
    after: RowIndex
    edited: np.ndarray
    deleted: np.ndarray
    added: np.ndarray

    def __len__(self) -> int:
        return len(self.edited) + len(self.deleted) + len(self.added)

    def changes(self, first: int = 0, count: int | None = None) -> Iterator[Change]:
        """The changed rows with what they were and are: the edited first, then the deleted, then the added."""
        last = len(self) if count is None else min(len(self), first + count)
        for place in range(first, last):
            yield self._change(place)

    def _change(self, place: int) -> Change:
        if place < len(self.edited):
            one, other = (int(number) for number in self.edited[place])
            return Change("edited", one, other, self.before.row(one)[1], self.after.row(other)[1])
        place -= len(self.edited)
        if place < len(self.deleted):
            number = int(self.deleted[place])
            return Change("deleted", number, None, self.before.row(number)[1], None)
        number = int(self.added[place - len(self.deleted)])
        return Change("added", None, number, None, self.after.row(number)[1])


def between(before: RowIndex, before_ids: np.ndarray, after: RowIndex, after_ids: np.ndarray,
            perhaps_edited: np.ndarray) -> Difference:
    """The difference of two versions, whose rows have these identities; rows not in `perhaps_edited` are the same."""
    gone = ~np.isin(before_ids, after_ids)
    new = ~np.isin(after_ids, before_ids)
    ones = np.flatnonzero(np.isin(before_ids, perhaps_edited) & ~gone)
    order = np.argsort(after_ids, kind="stable")
    others = order[np.searchsorted(after_ids, before_ids[ones], sorter=order)] if len(ones) else ones
    differ = [[one, other] for one, other in zip(ones.tolist(), others.tolist())
              if before.row(one)[1] != after.row(other)[1]]
    return Difference(before, after, np.array(differ, np.int64).reshape(-1, 2), np.flatnonzero(gone),
                      np.flatnonzero(new))
