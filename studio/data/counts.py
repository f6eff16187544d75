"""Counts: what became of the rows that were read; nothing is dropped without being counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple

MOST_EXAMPLES = 3


class Example(NamedTuple):
    """Where a skipped row stands: the file's name and the line on which the row begins."""

    file: str
    line: int


@dataclass(frozen=True)
class Counts:
    """Rows and tokens of one or several datasets; `read` = `used` + the sum of `skipped`.

    `skipped` has a reason code (`data.skipped.<reason>`) for every row that was left out, `examples` up to three
    places a reason. `cut` counts the rows that were longer than cutoff_len, `tokens` and `trained_tokens` are those of
    the used rows, `held_out` is the number of used rows that the validation split took away from training. Of the
    others, `left_out` are those that the mix had no room for; `repeated` says how often a row comes a further time.
    """

    read: int = 0
    used: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    cut: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    held_out: int = 0
    left_out: int = 0
    repeated: int = 0
    examples: Mapping[str, tuple[Example, ...]] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """The counts as JSON can hold them."""
        found = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**found, "skipped": dict(self.skipped),
                "examples": {reason: [list(one) for one in some] for reason, some in self.examples.items()}}

    @classmethod
    def of_plain(cls, plain: Mapping[str, Any]) -> Counts:
        """The counts out of their JSON; raises TypeError or ValueError when it is none."""
        examples = {reason: tuple(Example(*one) for one in some) for reason, some in plain["examples"].items()}
        return cls(**{**plain, "examples": examples})

    @property
    def most_frequent_reason(self) -> str:
        """The commonest reason for a skipped row, "" when none was skipped."""
        return max(self.skipped, key=lambda reason: self.skipped[reason], default="")


class Skipped:
    """Counts skipped rows by reason while they go by and keeps the first places of each."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: dict[str, tuple[Example, ...]] = {}

    def add(self, reason: str, file: str, line: int) -> None:
        """One row more."""
        self.counts[reason] += 1
        if self.counts[reason] <= MOST_EXAMPLES:
            self.examples[reason] = (*self.examples.get(reason, ()), Example(file, line))

    @property
    def total(self) -> int:
        """How many rows were skipped."""
        return sum(self.counts.values())


def together(many: Iterable[Counts]) -> Counts:
    """The sum of several datasets' counts, with the first examples of each reason."""
    found = list(many)
    skipped: Counter[str] = Counter()
    examples: dict[str, tuple[Example, ...]] = {}
    for counts in found:
        skipped.update(counts.skipped)
        for reason, some in counts.examples.items():
            examples[reason] = (*examples.get(reason, ()), *some)[:MOST_EXAMPLES]
    sums = {one.name: sum(getattr(counts, one.name) for counts in found) for one in fields(Counts)
            if one.name not in ("skipped", "examples")}
    return Counts(**sums, skipped=dict(skipped), examples=examples)
