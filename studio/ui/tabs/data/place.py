"""Place: where one person stands in the Data tab; frozen, made anew at every step."""

from __future__ import annotations

from dataclasses import dataclass, replace

from studio.ui.tabs.standing import Standing

# Parts about an opened set, and parts that need none.
OF_A_SET = ("rows", "doctor", "seen", "lengths", "versions")
FREE = ("bring", "make", "templates")


@dataclass(frozen=True)
class Place(Standing):
    """The set (a name or NAME@2), the part in sight, and what each part remembers."""

    set: str = ""
    part: str = "bring"

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

    def open(self, name: str, part: str = "") -> Place:
        """At another set or another part; what the parts remembered of the set before is left behind."""
        wanted = part or (self.part if self.part in OF_A_SET else "rows")
        if name == self.set:
            return replace(self, part=wanted, said={})
        kept = {part: self.of(part) for part in (*FREE, "shelf") if self.of(part)}
        return Place(name, wanted, held=kept)

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
