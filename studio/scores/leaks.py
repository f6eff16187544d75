"""Evaluation rows that stand in the training set: the same but for case and white space, or nearly the same.

The doctor's check `overlap` compares; here the rows of the training set are its other set.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from studio.errors import StopAsked
from studio.plugins.checks import Case, Terms, overlap
from studio.sample import Sample

EXACT, NEAR = "exact", "near"
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Leaks:
    """The rows that were trained on, ascending: asked the same, or nearly the same; `rows` were looked at."""

    exact: tuple[int, ...]
    near: tuple[int, ...]
    rows: int

    @property
    def count(self) -> int:
        """How many rows were found."""
        return len(self.exact) + len(self.near)

    def kind(self, row: int) -> str:
        """exact, near or ""."""
        return EXACT if row in self.exact else NEAR if row in self.near else ""


def leaks(evaluated: Iterable[tuple[int, Sample]], trained: Iterable[Sample],
          should_stop: Stop | None = None) -> Leaks:
    """Which of the rows (number and sample) ask what a training row asks; four hundred bytes a row in memory.

    Raises StopAsked soon after `should_stop()` is true.
    """
    def told(rows: Iterable[Sample]) -> Iterable[Sample]:
        for sample in rows:
            if should_stop and should_stop():
                raise StopAsked("comparing")
            yield sample

    check = overlap.whole(Terms(0, others={EXACT: lambda: told(trained)}))
    exact, rows = [], 0
    for number, sample in evaluated:
        if should_stop and should_stop():
            raise StopAsked("comparing")
        rows += 1
        if check.see(Case(number, sample)) is not None:
            exact.append(number)
    near = {number for number, _ in check.finish()} - set(exact)
    return Leaks(tuple(sorted(exact)), tuple(sorted(near)), rows)
