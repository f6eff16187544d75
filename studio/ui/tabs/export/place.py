"""Place: where one person stands in the Export tab; frozen, made anew at every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio.errors import StudioError


@dataclass(frozen=True)
class Place:
    """The opened export (its run's name, or none), and what each part remembers.

    `said` is a sentence to show above what is opened.
    """

    run: str = ""
    held: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> dict[str, str]:
        """What stands in the page's address."""
        return {"run": self.run}

    def of(self, part: str) -> Mapping[str, Any]:
        """What a part remembers."""
        return self.held.get(part, {})

    def keep(self, part: str, **values: Any) -> Place:
        """The same place, where a part remembers something more."""
        return replace(self, held={**self.held, part: {**self.of(part), **values}})

    def open(self, run: str) -> Place:
        """At another export; what is being set up stays."""
        kept = {part: held for part, held in self.held.items() if part == "setup"}
        return self if run == self.run else Place(run, kept)

    def about(self, name: str) -> Place:
        """Before an export of a run, of `<run>/step-<n>`, or of a model."""
        run, _, step = name.partition("/step-")
        return Place(held={"setup": {"model": run, "step": f"step-{step}" if step else ""}})

    def tell(self, key: str, good: bool = False, **values: Any) -> Place:
        """With a sentence to show; `key` is the whole key of the sentence."""
        return replace(self, said={"key": key, "values": values, "good": good})

    def fail(self, error: StudioError) -> Place:
        """With the sentence of an error to show."""
        return replace(self, said={"code": error.code, "values": error.values})
