"""Standing: where one person stands in a tab that draws itself; frozen, made anew at every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from studio.errors import StudioError


@dataclass(frozen=True, kw_only=True)
class Standing:
    """What each part of the tab remembers; `said` is a sentence to show above what is opened."""

    held: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)

    def of(self, part: str) -> Mapping[str, Any]:
        """What a part remembers."""
        return self.held.get(part, {})

    def keep(self, part: str, **values: Any) -> Self:
        """The same place, where a part remembers something more."""
        return replace(self, held={**self.held, part: {**self.of(part), **values}})

    def forget(self, part: str) -> Self:
        """The same place, where a part begins anew."""
        return replace(self, held={name: held for name, held in self.held.items() if name != part})

    def tell(self, key: str, good: bool = False, **values: Any) -> Self:
        """With a sentence to show; `key` is the whole key of the sentence."""
        return replace(self, said={"key": key, "values": values, "good": good})

    def fail(self, error: StudioError) -> Self:
        """With the sentence of an error to show."""
        return replace(self, said={"code": error.code, "values": error.values})


@dataclass(frozen=True)
class BesideRuns(Standing):
    """In a tab that sets up a work and opens what came of it: the opened run's name, or none."""

    run: str = ""

    @property
    def address(self) -> dict[str, str]:
        """What stands in the page's address."""
        return {"run": self.run}

    def open(self, run: str) -> Self:
        """At another run; what is being set up stays."""
        kept = {part: held for part, held in self.held.items() if part == "setup"}
        return self if run == self.run else replace(self, run=run, held=kept, said={})
