"""The Chat tab's components and the way of every press: a message makes a new Place, a Place is drawn."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.errors import StudioError, WorkError
from studio.ui.desk import Desk
from studio.ui.form import Form
from studio.ui.localize import Words
from studio.ui.tabs.chat import parts, shelf
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
_LIVE = "window.studio && studio.view(element, props, watch, trigger);"


class ChatTab:
    """Two live views (the list, the part in sight) and the place of the person who looks at them."""

    def __init__(self, desk: Desk, words: Words, form: Form) -> None:
        self.desk, self.words, self.form = desk, words, form
        with gr.Row(elem_classes=["data", "chat"], elem_id="chat"):
            self.shelf = _view("chat-list", "sets")
            self.body = _view("chat-body", "part")
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
        acted = self.body.select(self.act, held, self.outputs, **_QUIET)
        given = self.body.submit(self.give, [page.lang], [*self.given, page.tabs], **_QUIET)
        page.look_after(given)
        for event in (acted, given):
            event.then(None, None, None, js="() => window.studio && studio.answered()", **_QUIET)
        page.chat_tab.select(self.show, held, self.outputs, **_QUIET)
        for event in (page.relabelled, page.gone, page.loaded):
            event.then(self.refresh, [page.tab, *held], self.outputs, **_QUIET)
        for panel, run in ((page.train.panel, page.train.shown), (page.runs.panel, page.runs.opened)):
            begun = panel.chat.click(self.beside, [run, self.place], [self.place], **_QUIET)
            begun.then(lambda: [gr.Tabs(selected="chat"), "chat"], None, [page.tabs, page.tab], **_QUIET)

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
        try:
            after = act(visit, said) if act else visit.place
        except StudioError as error:
            after = visit.place.fail(error)
        except Exception as error:  # whoever pressed is told, and the console has the rest
            traceback.print_exc()
            after = visit.place.fail(WorkError("unexpected", kind=type(error).__name__, reason=str(error)))
        return _drawn(Visit(lang, self.desk, after))


def _drawn(visit: Visit) -> list[Any]:
    return [shelf.draw(visit), parts.frame(visit), visit.place]


def _view(name: str, kind: str) -> Any:
    return gr.HTML(
        "",
        html_template='<div class="view"></div>',
        js_on_load=_LIVE,
        elem_id=name,
        elem_classes=[kind],
        apply_default_css=False,
    )
