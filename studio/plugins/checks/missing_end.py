"""Answers after which the template writes no end token, so that the model would not learn to stop there."""

from __future__ import annotations

from studio.plugins.checks import Case, Terms, Values

ORDER = 72
SEVERITY = "warning"
FIX = ""
NEEDS = "tokens"


class Ends:
    """Remembers nothing but the tokens that end an answer."""

    def __init__(self, end_ids: frozenset[int]) -> None:
        self.end_ids = end_ids

    def see(self, case: Case) -> Values | None:
        """Which answer goes on without an end; plain text has none."""
        if case.sample.kind == "text":
            return None
        for side in case.sides:
            for turn, (start, end) in enumerate(side.spans, 1):
                if start < end and side.ids[end - 1] not in self.end_ids:
                    return {"turn": turn}
        return None

    def finish(self) -> list[tuple[int, Values]]:
        """Nothing more."""
        return []


def whole(terms: Terms) -> Ends:
    """The check for this model's end tokens."""
    return Ends(terms.end_ids)
