"""Visit: what a part may know while it draws or acts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from studio.chats import lanes as known
from studio.errors import StudioError
from studio.runs.files import RunFolder
from studio.runs.monitor import Glimpse
from studio.runs.summary import RunSummary
from studio.scores import browse, predictions, summary
from studio.scores.browse import Predictions
from studio.scores.summary import Summary
from studio.specs import works
from studio.texts import say
from studio.ui.desk import Desk
from studio.ui.tabs.evaluate.place import Place
from studio.workspace import Workspace


@dataclass(frozen=True)
class Visit:
    """One person's language and place, and the studio's desk."""

    lang: str
    desk: Desk
    place: Place

    def say(self, key: str, **values: Any) -> str:
        """A sentence of this tab: `page.evaluate.<key>`."""
        return say(self.lang, f"page.evaluate.{key}", **values)

    @property
    def workspace(self) -> Workspace:
        """Where models, data and runs are."""
        return self.desk.workspace

    @cached_property
    def offered(self) -> list[known.Lane]:
        """Who can be asked; looked up at most every few seconds."""
        return self.desk.lanes()

    @cached_property
    def evaluations(self) -> list[RunSummary]:
        """The evaluations made so far, newest first."""
        return [one for one in self.desk.store.summaries() if works.verb(one.stage) == works.EVALUATE]

    @cached_property
    def line(self) -> RunSummary | None:
        """The opened evaluation in a line; None when it is gone or none is opened."""
        return next((one for one in self.evaluations if one.name == self.place.run), None)

    @cached_property
    def folder(self) -> RunFolder:
        """The folder of the opened evaluation; raises InputError run_unknown."""
        return self.desk.store.find(self.place.run)

    @cached_property
    def glimpse(self) -> Glimpse | None:
        """The opened evaluation at this moment."""
        return self.desk.look(self.place.run) if self.line is not None else None

    @cached_property
    def summary(self) -> Summary | None:
        """Its scores, once there are any."""
        return summary.load(self.folder.results)

    @cached_property
    def predictions(self) -> Predictions:
        """Its answers as far as they are written."""
        found = browse.opened(self.folder.results / predictions.NAME)
        found.look()
        return found

    @cached_property
    def models(self) -> Sequence[str]:
        """Who is asked in the opened evaluation, the one that others are compared with first."""
        if self.summary is not None:
            return self.summary.models
        try:
            return tuple(known.said(self.workspace, self.place.run).get("eval_models") or self.predictions.models)
        except StudioError:
            return self.predictions.models
