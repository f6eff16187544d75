"""Visit: what a part may know while it draws or acts."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from studio.chats import lanes as known
from studio.chats import talks
from studio.chats.beginning import beginning
from studio.chats.conversation import Conversation
from studio.chats.shelf import Shelf
from studio.chats.talk import Talk
from studio.chats.tree import SLOTS
from studio.chats.views import Seen
from studio.texts import say
from studio.ui.desk import Desk
from studio.ui.tabs.chat.place import Place
from studio.workspace import Workspace

_SHELVES: dict[Workspace, Shelf] = {}
_GUARD = threading.Lock()


@dataclass(frozen=True)
class Visit:
    """One person's language and place, and the studio's desk."""

    lang: str
    desk: Desk
    place: Place

    def say(self, key: str, **values: Any) -> str:
        """A sentence of this tab: `page.chat.<key>`."""
        return say(self.lang, f"page.chat.{key}", **values)

    @property
    def workspace(self) -> Workspace:
        """Where conversations, models and runs are."""
        return self.desk.workspace

    @cached_property
    def shelf(self) -> Shelf:
        """The conversations."""
        with _GUARD:
            return _SHELVES.setdefault(self.workspace, Shelf(self.workspace))

    @cached_property
    def talk(self) -> Talk:
        """The talk of the opened conversation; raises InputError conversation_unknown when it is gone."""
        return talks.talk(self.place.chat, self.workspace, self.lang)

    @cached_property
    def conversation(self) -> Conversation | None:
        """The opened conversation; None before the first question."""
        return self.talk.conversation if self.place.chat else None

    @cached_property
    def seen(self) -> Seen | None:
        """The branch in sight."""
        return self.conversation.look() if self.conversation else None

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """How the conversation is held: lanes, sampling, system, tools, blind."""
        if self.seen is not None:
            return self.seen.settings
        return {**beginning(self.workspace, str(self.place.setup.get("run", ""))),
                **{name: value for name, value in self.place.setup.items() if name != "run"}}

    @cached_property
    def lanes(self) -> dict[str, str]:
        """The lanes that answer now, by slot."""
        return {slot: name for slot, name in zip(SLOTS, self.settings.get("lanes") or [], strict=False) if name}

    @cached_property
    def offered(self) -> list[known.Lane]:
        """What there is to talk to; looked up at most every few seconds."""
        return self.desk.lanes()
