"""Rows of which no token is learned: their whole answer lies behind cutoff_len, or there is none."""

from __future__ import annotations

from studio.plugins.checks import Case, Terms, Values

ORDER = 71
SEVERITY = "error"
FIX = "drop"
NEEDS = "tokens"


class Trained:
    """Remembers nothing but the limit."""

    def __init__(self, cutoff_len: int) -> None:
        self.cutoff_len = cutoff_len

    def see(self, case: Case) -> Values | None:
        """Where the first word to learn would stand."""
        for side in case.sides:
            spans = [(start, end) for start, end in side.spans if start < end]
            if not any(start < self.cutoff_len for start, _ in spans):
                return {"place": spans[0][0] if spans else 0, "cutoff": self.cutoff_len}
        return None

    def finish(self) -> list[tuple[int, Values]]:
        """Nothing more."""
        return []


def whole(terms: Terms) -> Trained:
    """The check for this cutoff_len."""
    return Trained(terms.cutoff_len)
