"""What each of several values of cutoff_len would do to a dataset, counted while its rows go by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.data.chat import Encoded

CANDIDATES = (128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768,
              49152, 65536, 98304, 131072)
WHOLE_ROWS = 0.99


@dataclass(frozen=True)
class Cutoff:
    """What a cutoff_len would do: rows cut, rows that would teach nothing, tokens learned and tokens lost."""

    cutoff_len: int
    cut_rows: int
    lost_rows: int
    tokens: int
    trained_tokens: int
    cut_tokens: int


class Cutoffs:
    """The candidates and the value in use, with what each of them does to the rows so far."""

    def __init__(self, chosen: int) -> None:
        self.chosen, self.rows = chosen, 0
        self.values = sorted({*CANDIDATES, chosen})
        self._figures = np.zeros((5, len(self.values)), np.int64)

    def add(self, rows: Sequence[Sequence[Encoded]]) -> np.ndarray:
        """Count rows, each of one sequence or of two, without any cutoff; which of them the chosen value loses."""
        if not rows:
            return np.zeros(0, bool)
        values, sides = np.asarray(self.values), [side for row in rows for side in row]
        of_row = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
        lengths = np.array([len(side.ids) for side in sides], np.int64)
        spans = np.array([span for side in sides for span in side.spans], np.int64).reshape(-1, 2, 1)
        of_span = np.repeat(of_row, [len(side.spans) for side in sides])
        longest, first = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
        np.maximum.at(longest, of_row, lengths)
        np.maximum.at(first, of_row, np.array([side.spans[0][0] for side in sides], np.int64))
        tokens, trained = np.zeros((2, len(rows), len(values)), np.int64)
        np.add.at(tokens, of_row, np.minimum(lengths[:, None], values))
        np.add.at(trained, of_span, np.minimum(spans[:, 1], values) - np.minimum(spans[:, 0], values))
        lost = first[:, None] >= values
        whole = np.bincount(of_row, lengths, len(rows)).astype(np.int64)[:, None]
        self._figures += np.stack([one.sum(0) for one in (
            (longest[:, None] > values) & ~lost, lost, tokens * ~lost, trained * ~lost, (whole - tokens) * ~lost)])
        self.rows += len(rows)
        return lost[:, self.values.index(self.chosen)]

    def join(self, other: Cutoffs) -> None:
        """The rows that another has counted too."""
        self._figures += other._figures
        self.rows += other.rows

    def at(self, value: int) -> Cutoff:
        """What this one of the values would do."""
        return Cutoff(value, *map(int, self._figures[:, self.values.index(value)]))

    def suggested(self) -> int:
        """The least candidate that leaves ninety-nine rows in a hundred whole; 0 without rows."""
        good = (value for value in CANDIDATES if self._touched(value) <= (1 - WHOLE_ROWS) * self.rows)
        return next(good, CANDIDATES[-1]) if self.rows else 0

    def telling(self) -> list[Cutoff]:
        """The chosen value, the suggested one with its neighbours, and all that cut some rows but not most."""
        suggested = self.suggested()
        place = CANDIDATES.index(suggested) if suggested else 0
        near = CANDIDATES[max(0, place - 1):place + 2]
        return [self.at(value) for value in self.values
                if value in (self.chosen, *near) or 0 < self._touched(value) <= self.rows / 2]

    def _touched(self, value: int) -> int:
        at = self.at(value)
        return at.cut_rows + at.lost_rows
