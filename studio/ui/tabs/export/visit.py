"""Visit: what a part may know while it draws or acts."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from studio.chats import lanes
from studio.exports import shelf
from studio.exports.shelf import Exported
from studio.records import read_json
from studio.runs.files import RunFolder
from studio.runs.monitor import Glimpse
from studio.texts import say
from studio.ui.desk import Desk
from studio.ui.tabs.export.place import Place
from studio.workspace import Workspace


@dataclass(frozen=True)
class Visit:
    """One person's language and place, and the studio's desk; `found` keeps what was looked up while it is drawn."""

    lang: str
    desk: Desk
    place: Place
    found: dict[str, Any] = field(default_factory=dict, compare=False)

    def say(self, key: str, **values: Any) -> str:
        """A sentence of this tab: `page.export.<key>`."""
        return say(self.lang, f"page.export.{key}", **values)

    @property
    def workspace(self) -> Workspace:
        """Where models, data and runs are."""
        return self.desk.workspace

    @cached_property
    def exports(self) -> list[Exported]:
        """The exports made so far and those at work, newest first."""
        return shelf.exports(self.workspace, self.desk.store)

    @cached_property
    def opened(self) -> Exported | None:
        """The opened export; None when it is gone or none is opened."""
        return next((one for one in self.exports if one.name == self.place.run), None)

    @cached_property
    def folder(self) -> RunFolder:
        """The folder of the opened export's run; raises InputError run_unknown."""
        return self.desk.store.find(self.place.run)

    @cached_property
    def glimpse(self) -> Glimpse | None:
        """The opened export at this moment."""
        return self.desk.look(self.place.run) if self.opened is not None else None

    @cached_property
    def told(self) -> dict[str, Any]:
        """What the opened export's frozen spec says; nothing when it is broken."""
        return lanes.said(self.workspace, self.place.run)

    @cached_property
    def progress(self) -> dict[str, Any]:
        """The engine's last word on how far it is."""
        return read_json(self.folder.progress) or {}
