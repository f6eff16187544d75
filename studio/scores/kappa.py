"""Whether two who judge agree beyond chance: Cohen's kappa (1960), weighted (1968) where verdicts have an order."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from studio.scores.statistics import Z95

ENOUGH = 20  # verdicts; below, no kappa is worth trusting
# Landis and Koch (1977): up to which kappa agreement is called what
WORDS = ((0.0, "none"), (0.2, "slight"), (0.4, "fair"), (0.6, "moderate"), (0.8, "substantial"), (1.0, "perfect"))


@dataclass(frozen=True)
class Agreement:
    """How far two agree on `n` things: the share of equal verdicts, and kappa with its 95 % interval.

    `kappa` is None when chance alone explains everything (both say always the same) or nothing was judged by both;
    `word` is a key under `scores.kappa`; `enough` is false below ENOUGH verdicts.
    """

    n: int
    share: float | None
    kappa: float | None
    low: float | None
    high: float | None

    @property
    def word(self) -> str:
        """What that kappa is called."""
        if self.kappa is None:
            return "unknown"
        return next(word for most, word in WORDS if self.kappa <= most + 1e-9)

    @property
    def enough(self) -> bool:
        """Whether there are verdicts enough to tell."""
        return self.n >= ENOUGH


def agreement(one: Sequence[Hashable | None], other: Sequence[Hashable | None],
              order: Sequence[Hashable] = ()) -> Agreement:
    """How far two lists of verdicts agree, place by place; None is a missing verdict and leaves the place out.

    With `order` (the verdicts from least to most) near verdicts agree in part: quadratic weights. The interval is that
    of Fleiss, Cohen and Everitt (1969).
    """
    both = [(a, b) for a, b in zip(one, other, strict=True) if a is not None and b is not None]
    if not both:
        return Agreement(0, None, None, None, None)
    names = list(order) or sorted({verdict for pair in both for verdict in pair}, key=str)
    at = {name: place for place, name in enumerate(names)}
    table = np.zeros((len(names), len(names)))
    for a, b in both:
        table[at[a], at[b]] += 1
    weights = _weights(len(names), bool(order))
    share = float(np.trace(table)) / len(both)
    return Agreement(len(both), share, *_kappa(table / len(both), weights, len(both)))


def _weights(count: int, ordered: bool) -> np.ndarray:
    """How far each pair of verdicts agrees, 1 for the same."""
    if not ordered or count < 2:
        return np.eye(count)
    places = np.arange(count)
    return 1 - ((places[:, None] - places[None, :]) / (count - 1)) ** 2


def _kappa(shares: np.ndarray, weights: np.ndarray, n: int) -> tuple[float | None, float | None, float | None]:
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    seen, chance = float((weights * shares).sum()), float((weights * np.outer(rows, columns)).sum())
    if 1 - chance < 1e-12:
        return None, None, None
    kappa = (seen - chance) / (1 - chance)
    of_rows, of_columns = weights @ columns, rows @ weights
    pull = weights - (of_rows[:, None] + of_columns[None, :]) * (1 - kappa)
    variance = (float((shares * pull**2).sum()) - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2)
    half = Z95 * math.sqrt(max(0.0, variance))
    return kappa, max(-1.0, kappa - half), min(1.0, kappa + half)
