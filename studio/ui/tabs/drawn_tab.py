"""DrawnTab: what the tabs that draw themselves have in common: a message makes a new Place, a Place is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import gradio as gr

from studio.ui.desk import Desk
from studio.ui.form import Form
from studio.ui.localize import Words
from studio.ui.tabs.views import QUIET, attempt, live_view


class DrawnTab:
    """Two live views (a list, the part in sight) and the place of the person who looks at them.

    A tab has a `name`, a `first` place, and says with `visit`, `press` and `drawn` what is its own.
    """

    name: ClassVar[str] = ""
    first: ClassVar[Any] = None

    def __init__(self, desk: Desk, words: Words, form: Form) -> None:
        self.desk, self.words, self.form = desk, words, form
        with gr.Row(elem_classes=list(dict.fromkeys(("data", self.name))), elem_id=self.name):
            self.list = live_view(f"{self.name}-list", "sets")
            self.body = live_view(f"{self.name}-body", "part")
        self.place = gr.State(self.first)

    @property
    def outputs(self) -> list[Any]:
        """What `show` and `act` update."""
        return [self.list, self.body, self.place]

    def follow(self, page: Any, held: list[Any], *pressed: Any) -> None:
        """Draw both sides when the tab comes into sight and when what it shows has changed; end each press."""
        for event in pressed:
            event.then(None, None, None, js="() => window.studio && studio.answered()", **QUIET)
        getattr(page, f"{self.name}_tab").select(self.show, held, self.outputs, **QUIET)
        for event in (page.relabelled, page.gone, page.loaded):
            event.then(self.refresh, [page.tab, *held], self.outputs, **QUIET)

    def led_to(self, page: Any, place: Any) -> None:
        """A run's button of this name leads here, to the `place` that follows from its run."""
        for panel, run in ((page.train.panel, page.train.shown), (page.runs.panel, page.runs.opened)):
            begun = getattr(panel, self.name).click(place, [run, self.place], [self.place], **QUIET)
            begun.then(lambda: [gr.Tabs(selected=self.name), self.name], None, [page.tabs, page.tab], **QUIET)

    # -- handlers

    def refresh(self, tab: str, lang: str, place: Any, *more: Any) -> list[Any]:
        """The tab as it stands, when it is the one in sight."""
        return self.show(lang, place, *more) if tab == self.name else [gr.skip()] * len(self.outputs)

    def show(self, lang: str, place: Any, *more: Any) -> list[Any]:
        """The tab as it stands."""
        return self.drawn(self.visit(lang, place, *more))

    def act(self, lang: str, place: Any, event: gr.EventData, *more: Any) -> list[Any]:
        """A press: the place that follows from it, drawn; what goes wrong is a sentence there."""
        said: Mapping[str, Any] = event._data or {}
        visit = self.visit(lang, place if said.get("do") == "look" else replace(place, said={}), *more)
        return self.drawn(self.visit(lang, attempt(visit.place, lambda: self.press(visit, said)), *more))

    # -- each tab's own

    def visit(self, lang: str, place: Any, *more: Any) -> Any:
        """What its parts may know; `more` are values of the form that the tab holds."""
        raise NotImplementedError

    def press(self, visit: Any, said: Mapping[str, Any]) -> Any:
        """The place that follows from a message."""
        raise NotImplementedError

    def drawn(self, visit: Any) -> list[Any]:
        """Both sides as HTML, and the place."""
        raise NotImplementedError
