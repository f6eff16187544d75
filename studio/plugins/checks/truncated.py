"""Rows longer than cutoff_len, whose end is not learned."""

from __future__ import annotations

from studio.plugins.checks import Case, Terms, Values

ORDER = 70
SEVERITY = "warning"
FIX = ""
NEEDS = "tokens"


class Lengths:
    """Remembers nothing but the limit."""

    def __init__(self, cutoff_len: int) -> None:
        self.cutoff_len = cutoff_len

    def see(self, case: Case) -> Values | None:
        """How many tokens are cut away, of how many."""
        length = max((len(side.ids) for side in case.sides), default=0)
        return {"over": length - self.cutoff_len, "length": length} if length > self.cutoff_len else None

    def finish(self) -> list[tuple[int, Values]]:
        """Nothing more."""
        return []


def whole(terms: Terms) -> Lengths:
    """The check for this cutoff_len."""
    return Lengths(terms.cutoff_len)
