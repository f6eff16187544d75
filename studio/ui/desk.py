"""What the handlers of all browser tabs share: the runs, and what can be chosen."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.args import document
from studio.data import catalogue, model
from studio.errors import StudioError
from studio.runs import checkpoints
from studio.runs import start as starting
from studio.runs.files import RunFolder
from studio.runs.monitor import Glimpse, shared
from studio.runs.store import RunStore
from studio.specs import train, works
from studio.specs.frozen import without_header
from studio.specs.train import ARGUMENTS
from studio.texts import say
from studio.ui import widgets
from studio.ui.counting import Counting
from studio.workspace import Workspace

if TYPE_CHECKING:
    from studio.chats.lanes import Lane

_FRESH_SECONDS = 5.0

# Tuners whose result stands beside the model and can be trained further.
ADAPTED = ("lora", "prefix")


class Desk:
    """One per studio; safe to use from many threads."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.store = RunStore(workspace)
        self._guard = threading.Lock()
        self._lanes: tuple[float, list[Lane]] = (0.0, [])

    def lanes(self) -> list[Lane]:
        """What there is to talk to and to measure; looked up at most every few seconds."""
        from studio.chats import lanes

        with self._guard:
            when, found = self._lanes
            if not when or time.monotonic() - when > _FRESH_SECONDS:
                found = lanes.offered(self.workspace)
                self._lanes = (time.monotonic(), found)
        return found

    def start(self, folder: RunFolder, lang: str, secrets: Mapping[str, str] | None = None) -> None:
        """Start a created run; its log speaks the visitor's language. `secrets` reach it by environment only."""
        starting.start(folder, self.workspace, lang=lang, secrets=secrets)

    def resume(self, folder: RunFolder, lang: str, secrets: Mapping[str, str] | None = None) -> None:
        """Go on with a run."""
        starting.resume(folder, self.workspace, lang=lang, secrets=secrets)

    def look(self, name: str | None) -> Glimpse | None:
        """The run now; None for no name or a run that is gone. All tabs share one reading of its log."""
        try:
            return shared(self.store.find(name)).look() if name else None
        except StudioError:
            return None

    def live(self) -> list[Any]:
        """Summaries of the runs at work, newest first."""
        return [line for line in self.store.summaries() if line.state.is_live]

    def learning(self) -> str:
        """The newest training at work; "" where there is none."""
        return next((str(line.name) for line in self.live() if works.learns(line)), "")

    def settings(self, name: str) -> dict[str, Any]:
        """The changed arguments of a run as it was frozen; nothing for a run whose settings cannot be read."""
        try:
            return train.changed(train.check(without_header(document.read(self.store.find(name).spec))))
        except StudioError:
            return {}

    def further(self, name: str) -> dict[str, Any]:
        """The draft of a run that goes on from another's result: its adapter, or the model that it has become."""
        draft = {**self.settings(name), "output_dir": None}
        if draft.get("finetuning_type", ARGUMENTS["finetuning_type"].default) in ADAPTED:
            return {**draft, "adapter_name_or_path": [name]}
        try:
            result = checkpoints.result(self.store.find(name))
        except StudioError:
            return draft
        return {**draft, "model_name_or_path": str(result.path)} if result else draft

    def models(self, lang: str) -> list[tuple[str, str]]:
        """What the model field offers: starter, folders found, models of earlier runs."""
        found = dict.fromkeys(model.local_models(self.workspace))
        found.update(dict.fromkeys(line.model for line in self.store.summaries()[:50] if line.model))
        return [(name, name) for name in found]

    def adapters(self, lang: str) -> list[tuple[str, str]]:
        """Runs whose adapters a new run can go on from."""
        kept = [
            line
            for line in self.store.summaries()[:100]
            if line.finetuning_type in ADAPTED and not line.state.is_live and line.step
        ]
        return [(say(lang, "page.form.none"), ""), *((line.name, line.name) for line in kept)]

    def templates(self, lang: str) -> list[tuple[str, str]]:
        """The chat templates that a run can name: the built-in ones, then the user's own."""
        from studio.data import templates

        mine = [(say(lang, "page.form.own_template", name=name), name) for name in templates.own(self.workspace)]
        return [*widgets.choices(ARGUMENTS["template"])(lang), *mine]

    def datasets(self, lang: str) -> list[tuple[str, str]]:
        """The datasets with their row counts, as the data field offers them."""
        try:
            entries = catalogue.Catalogue(self.workspace).entries()
        except StudioError:
            return []
        counting = Counting()
        return [
            (_with_rows(lang, entry, counting), entry.name) for entry in entries if entry.path and entry.path.exists()
        ]


def _with_rows(lang: str, entry: Any, counting: Counting) -> str:
    try:
        rows = counting.rows(entry)
    except (StudioError, OSError):
        rows = None
    return str(entry.name) if rows is None else say(lang, "page.form.dataset_rows", name=entry.name, rows=f"{rows:,}")
