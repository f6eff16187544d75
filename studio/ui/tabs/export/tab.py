"""The Export tab's components and the way of every press: a message makes a new Place, a Place is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.chats import lanes
from studio.ui.desk import Desk
from studio.ui.form import Form
from studio.ui.localize import Words
from studio.ui.tabs.chat.place import Place as Talks
from studio.ui.tabs.export import origin, parts, takeaway
from studio.ui.tabs.export.place import Place
from studio.ui.tabs.export.visit import Visit
from studio.ui.tabs.views import QUIET, attempt, live_view


class ExportTab:
    """Two live views (past exports, the opened or next one) and the place of the person who looks at them."""

    def __init__(self, desk: Desk, words: Words, form: Form) -> None:
        self.desk, self.words, self.form = desk, words, form
        with gr.Row(elem_classes=["data", "export"], elem_id="export"):
            self.shelf = live_view("export-list", "sets")
            self.body = live_view("export-body", "part")
        self.place = gr.State(Place())

    @property
    def outputs(self) -> list[Any]:
        """What `show` and `act` update."""
        return [self.shelf, self.body, self.place]

    def connect(self, page: Any) -> None:
        """Which event calls which handler; both sides are drawn when the tab comes into sight."""
        held = [page.lang, self.place]
        acted = self.body.select(self.act, held, self.outputs, **QUIET)
        talks = page.chat.place
        talked = self.body.submit(self.talk, [*held, talks], [*self.outputs, talks, page.tabs, page.tab], **QUIET)
        for event in (acted, talked):
            event.then(None, None, None, js="() => window.studio && studio.answered()", **QUIET)
        page.export_tab.select(self.show, held, self.outputs, **QUIET)
        for event in (page.relabelled, page.gone, page.loaded):
            event.then(self.refresh, [page.tab, *held], self.outputs, **QUIET)
        for panel, run in ((page.train.panel, page.train.shown), (page.runs.panel, page.runs.opened)):
            begun = panel.export.click(self.about, [run, self.place], [self.place], **QUIET)
            begun.then(lambda: [gr.Tabs(selected="export"), "export"], None, [page.tabs, page.tab], **QUIET)

    # -- handlers

    def refresh(self, tab: str, lang: str, place: Place) -> list[Any]:
        """The tab as it stands, when it is the one in sight."""
        return self.show(lang, place) if tab == "export" else [gr.skip()] * len(self.outputs)

    def show(self, lang: str, place: Place) -> list[Any]:
        """The tab as it stands."""
        return _drawn(Visit(lang, self.desk, place))

    def about(self, run: str, place: Place) -> Place:
        """An export opened, or what is to be exported of a trained run."""
        visit = Visit("en", self.desk, place.open(run))
        return visit.place if visit.opened is not None else place.about(run)

    def again(self, run: str, place: Place) -> Place:
        """What an export was told stands there once more, to be changed and exported again."""
        return origin.again(place.open(""), lanes.said(self.desk.workspace, run))

    def talk(self, lang: str, place: Place, talks: Talks, event: gr.EventData) -> list[Any]:
        """(this tab, the place in Chat, the tabs, the tab): what was exported as a lane, its source beside it."""
        visit = Visit(lang, self.desk, replace(place, said={}))
        answering = takeaway.lanes_of(visit)
        if not answering:
            return [*_drawn(visit), *[gr.skip()] * 3]
        return [*_drawn(visit), talks.begin({"lanes": answering}), gr.Tabs(selected="chat"), "chat"]

    def act(self, lang: str, place: Place, event: gr.EventData) -> list[Any]:
        """A press: the place that follows from it, drawn; what goes wrong is a sentence there."""
        said: Mapping[str, Any] = event._data or {}
        visit = Visit(lang, self.desk, place if said.get("do") == "look" else replace(place, said={}))
        act = parts.ACTIONS.get(str(said.get("do", "")))
        after = attempt(visit.place, lambda: act(visit, said) if act else visit.place)
        return _drawn(Visit(lang, self.desk, after))


def _drawn(visit: Visit) -> list[Any]:
    return [parts.left(visit), parts.right(visit), visit.place]
