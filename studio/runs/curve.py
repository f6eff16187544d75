"""A curve of any length in bounded memory: the highest and the lowest point of every stretch are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

MOST_POINTS = 2000
_MOST_STRETCHES = MOST_POINTS // 2 - 1
# A point: step, value, companion (the smoothed value at the same step).
Point = tuple[int, float, float]


@dataclass(frozen=True)
class Curve:
    """At most 2,000 points, steps ascending; no peak of the raw points is missing."""

    steps: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)


class Thinned:
    """Points as they come, kept as (lowest, highest) of stretches of `span` raw points.

    When the stretches become too many, neighbours merge and the span doubles; so the memory is bounded, a new point
    costs the same at a hundred and at a million, and the first, the last and every extreme point survive.
    """

    def __init__(self) -> None:
        self.span = 1
        self.count = 0
        self.first: Point | None = None
        self.last: Point | None = None
        self._lows: list[Point] = []
        self._highs: list[Point] = []
        self._filled = 0  # raw points in the last stretch

    def add(self, steps: Sequence[int], values: Sequence[float], companions: Sequence[float]) -> None:
        """Take in raw points, all finite, steps ascending and beyond those taken in before."""
        total = len(values)
        if not total:
            return
        if self.first is None:
            self.first = (steps[0], values[0], companions[0])
        self.last = (steps[-1], values[-1], companions[-1])
        self.count += total
        place = 0
        while place < total:
            if not self._lows or self._filled == self.span:
                self._open_stretch()
            upto = min(total, place + self.span - self._filled)
            part = values[place:upto]
            at_low = place + part.index(min(part))
            at_high = place + part.index(max(part))
            self._widen((steps[at_low], values[at_low], companions[at_low]),
                        (steps[at_high], values[at_high], companions[at_high]))
            self._filled += upto - place
            place = upto

    def points(self) -> list[Point]:
        """The kept points in the order of their steps."""
        kept: list[Point] = [self.first] if self.first else []
        for low, high in zip(self._lows, self._highs, strict=True):
            early, late = (low, high) if low[0] <= high[0] else (high, low)
            if early[0] > kept[-1][0]:
                kept.append(early)
            if late[0] > kept[-1][0]:
                kept.append(late)
        if self.last and self.last[0] > kept[-1][0]:
            kept.append(self.last)
        return kept

    def _open_stretch(self) -> None:
        if len(self._lows) >= _MOST_STRETCHES:
            self._merge()
            if self._filled < self.span:
                return
        self._filled = 0
        self._lows.append((-1, 0.0, 0.0))
        self._highs.append((-1, 0.0, 0.0))

    def _widen(self, low: Point, high: Point) -> None:
        if self._filled == 0:
            self._lows[-1], self._highs[-1] = low, high
            return
        if low[1] < self._lows[-1][1]:
            self._lows[-1] = low
        if high[1] > self._highs[-1][1]:
            self._highs[-1] = high

    def _merge(self) -> None:
        """Join neighbours; an odd last stretch stays as it is, half full."""
        lows, highs = self._lows, self._highs
        pairs = range(0, len(lows) - 1, 2)
        odd = len(lows) % 2 == 1
        self._lows = [min(lows[i], lows[i + 1], key=_value) for i in pairs] + lows[-1:] * odd
        self._highs = [max(highs[i], highs[i + 1], key=_value) for i in pairs] + highs[-1:] * odd
        self._filled = self.span if odd else 2 * self.span
        self.span *= 2


def _value(point: Point) -> float:
    return point[1]
