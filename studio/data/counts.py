"""Counts: what became of the rows that were read; nothing is dropped without being counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Counts:
    """Rows and tokens of one or several datasets; `read` = `used` + the sum of `skipped`.

    `skipped` has a reason code (`data.skipped.<reason>`) for every row that was left out, `cut` counts the rows that
    were longer than cutoff_len, `tokens` and `trained_tokens` are those of the used rows, `held_out` is the number of
    used rows that the validation split took away from training.
    """

    read: int = 0
    used: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)
    cut: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    held_out: int = 0

    def plain(self) -> dict[str, Any]:
        """The counts as JSON can hold them."""
        return {"read": self.read, "used": self.used, "skipped": dict(self.skipped), "cut": self.cut,
                "tokens": self.tokens, "trained_tokens": self.trained_tokens, "held_out": self.held_out}

    @property
    def most_frequent_reason(self) -> str:
        """The commonest reason for a skipped row, "" when none was skipped."""
        return max(self.skipped, key=lambda reason: self.skipped[reason], default="")


def together(many: Iterable[Counts]) -> Counts:
    """The sum of several datasets' counts."""
    found = list(many)
    skipped: Counter[str] = Counter()
    for counts in found:
        skipped.update(counts.skipped)
    return Counts(sum(one.read for one in found), sum(one.used for one in found), dict(skipped),
                  sum(one.cut for one in found), sum(one.tokens for one in found),
                  sum(one.trained_tokens for one in found), sum(one.held_out for one in found))
