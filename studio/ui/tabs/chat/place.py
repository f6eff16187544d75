"""Place: where one person stands in the Chat tab; frozen, made anew at every step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from studio.ui.tabs.standing import Standing

PARTS = ("talk", "votes", "prompts")


@dataclass(frozen=True)
class Place(Standing):
    """The conversation (its id; empty before the first question), the part in sight, what each part remembers.

    `setup` is how a conversation that has not begun is to be held, in the words of a conversation's settings.
    """

    chat: str = ""
    part: str = "talk"
    setup: Mapping[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> dict[str, str]:
        """What stands in the page's address."""
        run = "" if self.chat else str(self.setup.get("run", ""))
        return {"chat": self.chat, "part": "" if self.part == "talk" else self.part, "run": run}

    def open(self, chat: str) -> Place:
        """In another conversation; the list stays as it is, all else is left behind."""
        kept = {part: self.of(part) for part in ("shelf",) if self.of(part)}
        return Place(chat, held=kept)

    def begin(self, setup: Mapping[str, Any]) -> Place:
        """Before a new conversation that is held this way."""
        return replace(self.open(""), setup=setup)

    def prepared(self, setup: Mapping[str, Any]) -> Place:
        """The same place, where the conversation that begins here will be held this way."""
        return replace(self, setup=setup)

    def moved(self, chat: str) -> Place:
        """The same place in the conversation that has just begun."""
        return replace(self, chat=chat, setup={})

    def to(self, chat: str, run: str, part: str = "") -> Place:
        """Where an address leads: a run's result beside its base, else a conversation, else where one stood."""
        if run:
            return self.begin({"run": run})
        place = self.open(chat) if chat and chat != self.chat else self
        return replace(place, part=part) if part in PARTS else place

    def tell(self, key: str, good: bool = False, link: str = "", words: str = "", **values: Any) -> Place:
        """With a sentence to show above the part, and a way to go on; `key` is the whole key of the sentence."""
        return replace(self, said={"key": key, "values": values, "good": good, "link": link, "words": words})

    def made(self, name: str, what: str) -> Place:
        """With the name of a dataset that has just been written, behind the sentence that says so."""
        return replace(self, said={**self.said, "made": name, "what": what})
