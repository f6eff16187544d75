"""Work: what a form is given to write with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from studio.exports.source import Source
from studio.records import read_json, write_json
from studio.runs.files import RunFolder
from studio.workspace import Workspace

NOTES = "making.json"


@dataclass(frozen=True)
class Work:
    """One export in the making.

    `into` is the folder aside that the form fills, `target` where it stands afterwards. `tell(done, total, name)`
    says how far it is (tensors, bytes or files, as the form counts); `stay()` raises StopAsked when somebody asked for
    a stop and is to be called at least once a second; `say(key, **values)` is a console line from `engine.<key>`.
    """

    spec: Any
    source: Source
    workspace: Workspace
    run: RunFolder
    into: Path
    target: Path
    tell: Callable[[int, int, str], None]
    stay: Callable[[], None]
    say: Callable[..., None]
    lang: str = "en"

    def note(self, name: str, figures: Mapping[str, Any]) -> None:
        """Keep figures about the making, which stand in acceptance.json under this name."""
        self.run.results.mkdir(parents=True, exist_ok=True)
        write_json(self.run.results / NOTES, {**self.notes(), name: dict(figures)})

    def notes(self) -> dict[str, Any]:
        """What was noted by name."""
        return read_json(self.run.results / NOTES) or {}

    def inside(self, folder: Path) -> Work:
        """The same work in another folder, for a form that holds another."""
        return replace(self, into=folder)
