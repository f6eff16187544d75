"""How fast a run goes and how long it will take, from its recent steps."""

from __future__ import annotations

import time
from collections import deque

RECENT_STEPS = 50


class Pace:
    """Remembers recent steps; the first one, which warms up caches and allocators, does not count."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._recent: deque[tuple[int, float]] = deque(maxlen=RECENT_STEPS)
        self._ends: deque[float] = deque(maxlen=RECENT_STEPS)
        self._first = True

    def step(self, tokens: int, seconds: float) -> None:
        """One step took so many seconds for so many tokens."""
        if self._first:
            self._recent.clear()
        self._recent.append((tokens, seconds))
        self._ends.append(time.monotonic())
        if self._first and len(self._ends) > 1:
            self._first = False

    def tokens_per_second(self) -> float:
        """Tokens a second of training itself, without evaluations and saving."""
        seconds = sum(one for _, one in self._recent)
        return sum(tokens for tokens, _ in self._recent) / seconds if seconds > 0 else 0.0

    def remaining(self, step: int) -> float | None:
        """Seconds to the end, evaluations and saving included as they came up; None while nothing is known."""
        if len(self._ends) < 2:
            return None
        return (self._ends[-1] - self._ends[0]) / (len(self._ends) - 1) * max(0, self._total - step)
