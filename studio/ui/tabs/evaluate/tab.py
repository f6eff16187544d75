"""The Evaluate tab's components and the way of every press: a message makes a new Place, a Place is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.ui.desk import Desk
from studio.ui.form import Form
from studio.ui.localize import Words
from studio.ui.tabs.chat.place import Place as Talks
from studio.ui.tabs.evaluate import again, parts, row
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit
from studio.ui.tabs.views import QUIET, attempt, live_view


class EvaluateTab:
    """Two live views (what is to be asked, the opened evaluation) and the place of the person who looks at them."""

    def __init__(self, desk: Desk, words: Words, form: Form) -> None:
        self.desk, self.words, self.form = desk, words, form
        with gr.Row(elem_classes=["data", "evaluate"], elem_id="evaluate"):
            self.setup = live_view("evaluate-list", "sets")
            self.body = live_view("evaluate-body", "part")
        self.place = gr.State(Place())

    @property
    def outputs(self) -> list[Any]:
        """What `show` and `act` update."""
        return [self.setup, self.body, self.place]

    def connect(self, page: Any) -> None:
        """Which event calls which handler; both sides are drawn when the tab comes into sight."""
        held = [page.lang, self.place]
        acted = self.body.select(self.act, held, self.outputs, **QUIET)
        talks = page.chat.place
        asked = self.body.submit(self.ask, [*held, talks], [*self.outputs, talks, page.tabs, page.tab], **QUIET)
        for event in (acted, asked):
            event.then(None, None, None, js="() => window.studio && studio.answered()", **QUIET)
        page.evaluate_tab.select(self.show, held, self.outputs, **QUIET)
        for event in (page.relabelled, page.gone, page.loaded):
            event.then(self.refresh, [page.tab, *held], self.outputs, **QUIET)
        for panel, run in ((page.train.panel, page.train.shown), (page.runs.panel, page.runs.opened)):
            begun = panel.evaluate.click(self.about, [run, self.place], [self.place], **QUIET)
            begun.then(lambda: [gr.Tabs(selected="evaluate"), "evaluate"], None, [page.tabs, page.tab], **QUIET)

    # -- handlers

    def refresh(self, tab: str, lang: str, place: Place) -> list[Any]:
        """The tab as it stands, when it is the one in sight."""
        return self.show(lang, place) if tab == "evaluate" else [gr.skip()] * len(self.outputs)

    def show(self, lang: str, place: Place) -> list[Any]:
        """The tab as it stands."""
        return _drawn(Visit(lang, self.desk, place))

    def about(self, run: str, place: Place) -> Place:
        """An evaluation opened, or what is to be asked of a trained run beside its base."""
        visit = Visit("en", self.desk, place.open(run))
        return visit.place if visit.line is not None else place.about(run)

    def again(self, run: str, place: Place) -> Place:
        """What an evaluation asked stands on the left, to be changed and asked again."""
        visit = Visit("en", self.desk, place.open(""))
        return attempt(visit.place, lambda: again.draft(visit, run))

    def ask(self, lang: str, place: Place, talks: Talks, event: gr.EventData) -> list[Any]:
        """(this tab, the place in Chat, the tabs, the tab): a row's question in Chat's box, its models as lanes."""
        visit = Visit(lang, self.desk, replace(place, said={}))
        try:
            lanes, system, text = row.question(visit, int((event._data or {}).get("to", -1)))
        except StudioError as error:
            return [*_drawn(Visit(lang, self.desk, place.fail(error))), *[gr.skip()] * 3]
        talk = talks.begin({"lanes": lanes, "system": system}).keep("composer", draft=text)
        return [*_drawn(visit), talk, gr.Tabs(selected="chat"), "chat"]

    def act(self, lang: str, place: Place, event: gr.EventData) -> list[Any]:
        """A press: the place that follows from it, drawn; what goes wrong is a sentence there."""
        said: Mapping[str, Any] = event._data or {}
        visit = Visit(lang, self.desk, place if said.get("do") == "look" else replace(place, said={}))
        act = parts.ACTIONS.get(str(said.get("do", "")))
        after = attempt(visit.place, lambda: act(visit, said) if act else visit.place)
        return _drawn(Visit(lang, self.desk, after))


def _drawn(visit: Visit) -> list[Any]:
    return [parts.left(visit), parts.right(visit), visit.place]
