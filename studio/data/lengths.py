"""Lengths: how often each length occurs, and every figure that follows from it exactly, in bounded memory."""

from __future__ import annotations

from collections import Counter

import numpy as np

QUANTILES = (0.25, 0.5, 0.75, 0.9, 0.95, 0.99)


class Lengths:
    """Counts lengths; memory grows with the number of different ones, not with the rows."""

    def __init__(self) -> None:
        self._found: Counter[int] = Counter()

    def add(self, length: int) -> None:
        """One more row of this length."""
        self._found[length] += 1

    def join(self, other: Lengths) -> None:
        """The rows of another count too."""
        self._found.update(other._found)

    def clipped(self, most: int) -> Lengths:
        """The same rows, none longer than `most`."""
        found = Lengths()
        for length, count in self._found.items():
            found._found[min(length, most)] += count
        return found

    @property
    def count(self) -> int:
        """How many rows."""
        return sum(self._found.values())

    @property
    def total(self) -> int:
        """The sum of all lengths."""
        return sum(length * count for length, count in self._found.items())

    @property
    def longest(self) -> int:
        """The longest row's length, 0 without rows."""
        return max(self._found, default=0)

    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        values = np.array(sorted(self._found), np.int64)
        return values, np.array([self._found[int(one)] for one in values], np.int64)

    def quantile(self, share: float) -> float:
        """The length below which this share of the rows lies, between two rows in proportion (pandas' way)."""
        values, counts = self._sorted()
        place = share * (self.count - 1)
        ends = np.cumsum(counts)
        below, above = (int(values[np.searchsorted(ends, np.floor(place) + more, side="right")])
                        for more in (0, 1 if place % 1 else 0))
        return below + (above - below) * (place % 1)

    def describe(self) -> dict[str, float]:
        """count mean std min 25% 50% 75% 90% 95% 99% max, as pandas' describe() has them; zeros without rows."""
        names = [f"{100 * share:.0f}%" for share in QUANTILES]
        if not self._found:
            return dict.fromkeys(("count", "mean", "std", "min", *names, "max"), 0)
        values, counts = self._sorted()
        rows = self.count
        mean = self.total / rows
        spread = float(((values - mean) ** 2 * counts).sum())
        figures = {name: self.quantile(share) for name, share in zip(names, QUANTILES, strict=True)}
        return {"count": rows, "mean": mean, "std": (spread / (rows - 1)) ** 0.5 if rows > 1 else 0.0,
                "min": int(values[0]), **figures, "max": int(values[-1])}

    def histogram(self, bars: int = 40, most: int | None = None) -> list[tuple[int, int, int]]:
        """(from, to, rows) of equally wide bars, `to` not included; what is longer than `most` is in the last one."""
        if not self._found:
            return []
        values, counts = self._sorted()
        top = min(int(values[-1]), most) if most else int(values[-1])
        width = max(1, -(-(top + 1) // bars))
        places = np.minimum(values // width, top // width)
        rows = np.bincount(places, counts).astype(np.int64)
        return [(place * width, (place + 1) * width, int(count)) for place, count in enumerate(rows)]

    def padding(self, batch: int) -> float:
        """The expected padding over all rows when they are drawn at random into batches of this size."""
        if not self._found or batch < 2:
            return 0.0
        values, counts = self._sorted()
        rows = self.count
        below = np.concatenate(([0.0], np.cumsum(counts) / rows))
        longest = float((values * (below[1:] ** batch - below[:-1] ** batch)).sum())
        return rows * (longest - self.total / rows)
