"""Place: where one person stands in the Export tab."""

from __future__ import annotations

from dataclasses import dataclass

from studio.ui.tabs.standing import BesideRuns


@dataclass(frozen=True)
class Place(BesideRuns):
    """The opened export, and what each part remembers."""

    def about(self, name: str) -> Place:
        """Before an export of a run, of `<run>/step-<n>`, or of a model."""
        run, _, step = name.partition("/step-")
        return Place(held={"setup": {"model": run, "step": f"step-{step}" if step else ""}})
