"""The Chat tab's components and the way of every press: a message makes a new Place, a Place is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.ui.desk import Desk
from studio.ui.form import Form
from studio.ui.localize import Words
from studio.ui.tabs.chat import parts, shelf
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.views import QUIET, attempt, live_view


class ChatTab:
    """Two live views (the list, the part in sight) and the place of the person who looks at them."""

    def __init__(self, desk: Desk, words: Words, form: Form) -> None:
        self.desk, self.words, self.form = desk, words, form
        with gr.Row(elem_classes=["data", "chat"], elem_id="chat"):
            self.shelf = live_view("chat-list", "sets")
            self.body = live_view("chat-body", "part")
        self.place = gr.State(Place())

    @property
    def outputs(self) -> list[Any]:
        """What `show` and `act` update."""
        return [self.shelf, self.body, self.place]

    @property
    def given(self) -> list[Any]:
        """The form's fields that a press here can fill."""
        return [self.form.widgets["stage"], self.form.widgets["dataset"]]

    def connect(self, page: Any) -> None:
        """Which event calls which handler; the list and the part are drawn when the tab comes into sight."""
        held = [page.lang, self.place]
        acted = self.body.select(self.act, held, self.outputs, **QUIET)
        given = self.body.submit(self.give, [page.lang], [*self.given, page.tabs], **QUIET)
        page.look_after(given)
        for event in (acted, given):
            event.then(None, None, None, js="() => window.studio && studio.answered()", **QUIET)
        page.chat_tab.select(self.show, held, self.outputs, **QUIET)
        for event in (page.relabelled, page.gone, page.loaded):
            event.then(self.refresh, [page.tab, *held], self.outputs, **QUIET)
        for panel, run in ((page.train.panel, page.train.shown), (page.runs.panel, page.runs.opened)):
            begun = panel.chat.click(self.beside, [run, self.place], [self.place], **QUIET)
            begun.then(lambda: [gr.Tabs(selected="chat"), "chat"], None, [page.tabs, page.tab], **QUIET)

    # -- handlers

    def refresh(self, tab: str, lang: str, place: Place) -> list[Any]:
        """The tab as it stands, when it is the one in sight."""
        return self.show(lang, place) if tab == "chat" else [gr.skip()] * len(self.outputs)

    def show(self, lang: str, place: Place) -> list[Any]:
        """The tab as it stands."""
        return _drawn(Visit(lang, self.desk, place))

    def beside(self, run: str, place: Place) -> Place:
        """Before a conversation with a run's result beside its base."""
        return place.to("", run)

    def give(self, lang: str, event: gr.EventData) -> list[Any]:
        """(the fields of `given`, the tabs): a dataset that was made here and its method, Train in front."""
        said: Mapping[str, Any] = event._data or {}
        dataset = gr.update(value=[str(said.get("set", ""))], choices=self.desk.datasets(lang))
        return [gr.update(value=str(said.get("stage", "sft"))), dataset, gr.Tabs(selected="train")]

    def act(self, lang: str, place: Place, event: gr.EventData) -> list[Any]:
        """A press: the place that follows from it, drawn; what goes wrong is a sentence there."""
        said: Mapping[str, Any] = event._data or {}
        visit = Visit(lang, self.desk, place if said.get("do") == "look" else replace(place, said={}))
        act = parts.ACTIONS.get(str(said.get("do", "")))
        after = attempt(visit.place, lambda: act(visit, said) if act else visit.place)
        return _drawn(Visit(lang, self.desk, after))


def _drawn(visit: Visit) -> list[Any]:
    return [shelf.draw(visit), parts.frame(visit), visit.place]
