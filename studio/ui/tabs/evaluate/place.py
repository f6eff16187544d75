"""Place: where one person stands in the Evaluate tab."""

from __future__ import annotations

from dataclasses import dataclass

from studio.ui.tabs.standing import BesideRuns


@dataclass(frozen=True)
class Place(BesideRuns):
    """The opened evaluation, and what each part remembers."""

    def about(self, run: str) -> Place:
        """Before an evaluation of a trained run beside its base."""
        return Place(held={"setup": {"run": run}})
