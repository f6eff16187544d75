"""Place: where one person stands in the Data tab; frozen, made anew at every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio.errors import StudioError

# Parts about an opened set, and parts that need none.
OF_A_SET = ("rows", "doctor", "seen", "lengths", "versions")
FREE = ("bring", "make", "templates")


@dataclass(frozen=True)
class Place:
    """The set (a name or NAME@2), the part in sight, and what each part remembers; `said` is a sentence to show."""

    set: str = ""
    part: str = "bring"
    held: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    said: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def at(cls, name: str, part: str) -> Place:
        """The place that an address names; whatever it says is let pass, a set that is gone is told when drawn."""
        if name:
            return cls(name, part if part in OF_A_SET else "rows")
        return cls("", part if part in FREE else "bring")

    @property
    def name(self) -> str:
        """The set's name without its version."""
        return self.set.rpartition("@")[0] if self.version else self.set

    @property
    def version(self) -> int:
        """The version that the set names; 0 when it names none."""
        number = self.set.rpartition("@")[2] if "@" in self.set else ""
        return int(number) if number.isdigit() else 0

    @property
    def address(self) -> dict[str, str]:
        """What stands in the page's address."""
        return {"set": self.set, "part": self.part}

    def of(self, part: str) -> Mapping[str, Any]:
        """What a part remembers."""
        return self.held.get(part, {})

    def keep(self, part: str, **values: Any) -> Place:
        """The same place, where a part remembers something more."""
        return replace(self, held={**self.held, part: {**self.of(part), **values}})

    def forget(self, part: str) -> Place:
        """The same place, where a part begins anew."""
        return replace(self, held={name: held for name, held in self.held.items() if name != part})

    def open(self, name: str, part: str = "") -> Place:
        """At another set or another part; what the parts remembered of the set before is left behind."""
        wanted = part or (self.part if self.part in OF_A_SET else "rows")
        if name == self.set:
            return replace(self, part=wanted, said={})
        kept = {part: self.of(part) for part in (*FREE, "shelf") if self.of(part)}
        return Place(name, wanted, kept)

    def to(self, name: str, part: str) -> Place:
        """At the place that an address names, with all that is remembered when it is this one."""
        wanted = Place.at(name, part)
        return (
            self
            if wanted.address == self.address
            else self.open(name, wanted.part)
            if name
            else (self.turn(wanted.part))
        )

    def turn(self, part: str) -> Place:
        """At another part; a free part closes the set."""
        return replace(self, part=part, said={}, set=self.set if part in OF_A_SET else "")

    def tell(self, key: str, good: bool = False, **values: Any) -> Place:
        """With a sentence to show above the part; `key` is the whole key of the sentence."""
        return replace(self, said={"key": key, "values": values, "good": good})

    def fail(self, error: StudioError) -> Place:
        """With the sentence of an error to show above the part."""
        return replace(self, said={"code": error.code, "values": error.values})
