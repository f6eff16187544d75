"""How sure a score is, and a difference of two: Wilson, bootstrap, McNemar, and how many rows would be needed.

Everything here is a pure function of the values and, where it draws, of a fixed seed: the same rows give the same
figures after a resume, on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, TypeAlias

import numpy as np

NORMAL = NormalDist()
Z95 = NORMAL.inv_cdf(0.975)
Z_POWER = NORMAL.inv_cdf(0.8)  # four in five: the power for which `needed` rows are told
LEVEL = 0.05
DRAWS = 2_000
PAIR_DRAWS = 5_000
FEW_DRAWS = 200  # of a measure that is computed from all rows anew
LARGE = 4_096  # beyond, values are drawn by how often they occur
MOST_VALUES = 512
GROUPS = 20
CELLS = 1 << 21  # numbers drawn at a time: 16 MB
SAME_WITHIN = 0.01
# Student's t for GROUPS - 1 degrees of freedom, two-sided 95 %
T_GROUPS = 2.093024054408263
WILSON, BOOTSTRAP, GROUPED, NONE = "wilson", "bootstrap", "groups", "none"
Values: TypeAlias = "Sequence[float] | np.ndarray"
Whole: TypeAlias = "Callable[[np.ndarray], float]"


@dataclass(frozen=True)
class Interval:
    """A score with the interval that holds the true one with 95 %, from `n` answers.

    `how` is wilson, bootstrap, groups (the spread over GROUPS parts of the rows) or none; `method` says which
    bootstrap: bca or percentile. Value and bounds are None without any answer.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    how: str
    method: str = ""

    def plain(self) -> dict[str, Any]:
        """As scores.json has it."""
        found = {"value": self.value, "low": self.low, "high": self.high, "n": self.n, "how": self.how}
        return {**found, "method": self.method} if self.method else found


@dataclass(frozen=True)
class Paired:
    """What the second has over the first on the same rows, with its interval and the chance of seeing it by chance.

    `test` is mcnemar or bootstrap. `enough` is false when so few rows cannot tell the difference from chance;
    `needed` is then how many would, in four trials of five, None when no number is known.
    """

    difference: float
    low: float
    high: float
    p: float
    test: str
    n: int
    enough: bool
    needed: int | None

    def plain(self) -> dict[str, Any]:
        """As scores.json has it."""
        return {"difference": self.difference, "low": self.low, "high": self.high, "p": self.p, "test": self.test,
                "n": self.n, "enough": self.enough, "needed": self.needed}


def wilson(count: float, total: int) -> tuple[float, float]:
    """Wilson's interval (1927) of a share; it holds for few rows too and never leaves 0 to 1."""
    if total <= 0:
        return 0.0, 1.0
    share, square = count / total, Z95 * Z95
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = Z95 / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    low = 0.0 if count <= 0 else max(0.0, middle - half)
    high = 1.0 if count >= total else min(1.0, middle + half)
    return low, high


def interval(values: Values, seed: int = 0) -> Interval:
    """The mean of the values that there are (NaN is none), by Wilson when all are 0 or 1, else by bootstrap."""
    found = finite(values)
    if not len(found):
        return Interval(None, None, None, 0, NONE)
    mean = float(found.mean())
    if is_yes_or_no(found):
        return Interval(mean, *wilson(float(found.sum()), len(found)), len(found), WILSON)
    low, high, method = bootstrap(found, seed)
    return Interval(mean, low, high, len(found), BOOTSTRAP, method)


def interval_of_whole(whole: Whole, rows: int, few: int = 200, seed: int = 0) -> Interval:
    """A measure of all rows together with its interval; `whole` takes row numbers, which may repeat.

    Few rows are drawn again (percentile bootstrap); many are split by chance into GROUPS parts whose spread tells the
    interval, which costs one more reading of the rows and no more.
    """
    if not rows:
        return Interval(None, None, None, 0, NONE)
    value = float(whole(np.arange(rows)))
    rng = np.random.default_rng(seed)
    if rows == 1 or not math.isfinite(value):
        return Interval(value if math.isfinite(value) else None, None, None, rows, NONE)
    if rows <= few:
        drawn = np.array([whole(rng.integers(0, rows, rows)) for _ in range(FEW_DRAWS)])
        drawn = drawn[np.isfinite(drawn)]
        if not len(drawn):
            return Interval(value, None, None, rows, NONE)
        # rows drawn twice make some measures smaller (different words): only the spread counts
        low, high = np.quantile(drawn - drawn.mean() + value, (LEVEL / 2, 1 - LEVEL / 2))
        return Interval(value, min(value, float(low)), max(value, float(high)), rows, BOOTSTRAP, "percentile")
    parts = np.array([whole(np.sort(part)) for part in np.array_split(rng.permutation(rows), GROUPS)])
    half = T_GROUPS * float(parts.std(ddof=1)) / math.sqrt(GROUPS)
    return Interval(value, value - half, value + half, rows, GROUPED)


def bootstrap(values: Values, seed: int = 0, draws: int = DRAWS) -> tuple[float, float, str]:
    """(low, high, method) of the mean by the bias-corrected accelerated bootstrap (Efron 1987).

    The method is "percentile" where acceleration is not defined (one or two rows, values that hardly differ).
    """
    found = finite(values)
    mean, drawn = float(found.mean()), means(found, draws, seed)
    below = (float((drawn < mean).sum()) + float((drawn == mean).sum()) / 2) / draws
    away = found - mean
    spread = float((away**2).sum())
    if len(found) < 3 or not 0 < below < 1 or spread <= 0:
        low, high = np.quantile(drawn, (LEVEL / 2, 1 - LEVEL / 2))
        return float(low), float(high), "percentile"
    bias = NORMAL.inv_cdf(below)
    # the mean without a row differs from the mean by (mean - row) / (n - 1): the factor cancels
    acceleration = float((away**3).sum()) / (6 * spread**1.5)
    at = [NORMAL.cdf(bias + (bias + z) / (1 - acceleration * (bias + z))) for z in (-Z95, Z95)]
    low, high = np.quantile(drawn, sorted(at))
    return float(low), float(high), "bca"


def means(values: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """The means of so many samples drawn with replacement, in bounded memory.

    Beyond LARGE rows the values are drawn by how often each occurs; of more than MOST_VALUES different ones,
    neighbours are taken together.
    """
    rng, count = np.random.default_rng(seed), len(values)
    if count <= LARGE:
        at_once = max(1, CELLS // count)
        parts = [values[rng.integers(0, count, (min(at_once, draws - done), count))].mean(axis=1)
                 for done in range(0, draws, at_once)]
        return np.concatenate(parts)
    kinds, often = np.unique(values, return_counts=True)
    if len(kinds) > MOST_VALUES:
        parts = np.array_split(np.sort(values), MOST_VALUES)
        kinds, often = np.array([part.mean() for part in parts]), np.array([len(part) for part in parts])
    return rng.multinomial(count, often / count, size=draws) @ kinds / count


def mcnemar(one_only: int, other_only: int) -> float:
    """The two-sided p of McNemar's exact test, from the rows that only one of two has right."""
    total, least = one_only + other_only, min(one_only, other_only)
    if not total:
        return 1.0
    logs = [math.lgamma(total + 1) - math.lgamma(k + 1) - math.lgamma(total - k + 1) - total * math.log(2)
            for k in range(least + 1)]
    most = max(logs)
    return min(1.0, 2 * math.exp(most) * math.fsum(math.exp(one - most) for one in logs))


def paired(before: Values, after: Values, seed: int = 0) -> Paired | None:
    """What `after` has over `before` on the rows that both answered; None without any such row.

    Of yes and no: McNemar's exact test, with the interval of Bonett and Price (2012). Else the paired bootstrap.
    """
    one, other = np.asarray(before, float), np.asarray(after, float)
    both = np.isfinite(one) & np.isfinite(other)
    one, other = one[both], other[both]
    if not len(one):
        return None
    if is_yes_or_no(one) and is_yes_or_no(other):
        return _paired_shares(int(((one < other)).sum()), int((one > other).sum()), len(one))
    return _paired_means(other - one, seed)


def _paired_shares(gained: int, lost: int, rows: int) -> Paired:
    difference, p = (gained - lost) / rows, mcnemar(gained, lost)
    up, down = (gained + 1) / (rows + 2), (lost + 1) / (rows + 2)
    half = Z95 * math.sqrt(max(0.0, up + down - (up - down) ** 2) / (rows + 2))
    low, high = max(-1.0, up - down - half), min(1.0, up - down + half)
    needed = _needed_shares((gained + lost) / rows, difference)
    return _judged(difference, low, high, p, "mcnemar", rows, needed)


def _paired_means(gains: np.ndarray, seed: int) -> Paired:
    rows, difference = len(gains), float(gains.mean())
    drawn = means(gains, PAIR_DRAWS, seed)
    spread = float(gains.std(ddof=1)) if rows > 1 else 0.0
    if rows > 1 and spread > 0:
        low, high, _ = bootstrap(gains, seed)
        beyond = int((np.abs(drawn - difference) >= abs(difference) - 1e-12).sum())
        p = (beyond + 1) / (PAIR_DRAWS + 1)
    else:
        low, high, p = difference, difference, 1.0 if rows == 1 or not difference else 1 / (PAIR_DRAWS + 1)
    needed = None if not difference or not spread else math.ceil(((Z95 + Z_POWER) * spread / difference) ** 2)
    return _judged(difference, low, high, p, BOOTSTRAP, rows, needed)


def paired_of_draws(difference: float, drawn: np.ndarray, rows: int) -> Paired:
    """The paired bootstrap (Koehn 2004) of a measure of all rows, from its difference in rows drawn again."""
    low, high = (float(one) for one in np.quantile(drawn, (LEVEL / 2, 1 - LEVEL / 2)))
    beyond = int((np.abs(drawn - drawn.mean()) >= abs(difference) - 1e-12).sum())
    spread = float(drawn.std(ddof=1))
    needed = math.ceil(rows * ((Z95 + Z_POWER) * spread / difference) ** 2) if difference and spread else None
    return _judged(difference, low, high, (beyond + 1) / (len(drawn) + 1), BOOTSTRAP, rows, needed)


def _judged(difference: float, low: float, high: float, p: float, test: str, rows: int, needed: int | None) -> Paired:
    """A difference is told from chance, or so near to none that both are the same; else the rows are too few."""
    told = p < LEVEL
    same = rows > 1 and low >= -SAME_WITHIN and high <= SAME_WITHIN
    return Paired(difference, low, high, p, test, rows, told or same, None if told or same else needed)


def _needed_shares(differing: float, difference: float) -> int | None:
    """How many rows McNemar's test needs (Connor 1987), given the share of rows that differ."""
    if not difference:
        return None
    root = Z95 * math.sqrt(differing) + Z_POWER * math.sqrt(max(0.0, differing - difference**2))
    return math.ceil((root / difference) ** 2)


def adjusted(chances: Sequence[float]) -> list[float]:
    """Holm's (1979) p values: what each is worth when so many differences are looked at together."""
    order = sorted(range(len(chances)), key=lambda place: chances[place])
    found, most = [0.0] * len(chances), 0.0
    for rank, place in enumerate(order):
        most = max(most, min(1.0, (len(chances) - rank) * chances[place]))
        found[place] = most
    return found


def decimals(low: float | None, high: float | None, scale: float = 1.0, most: int = 4) -> int:
    """How many digits after the point an interval allows: its half width has one significant digit."""
    if low is None or high is None:
        return 0 if scale >= 100 else 2
    half = (high - low) / 2 * scale
    if half <= 0 or not math.isfinite(half):
        return 0 if scale >= 100 else 2
    return max(0, min(most, -math.floor(math.log10(half))))


def finite(values: Values) -> np.ndarray:
    """The values that there are."""
    found = np.asarray(values, float)
    return found[np.isfinite(found)]


def is_yes_or_no(values: np.ndarray) -> bool:
    """Whether all values are 0 or 1."""
    return bool(((values == 0) | (values == 1)).all())
