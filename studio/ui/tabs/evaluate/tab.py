"""The Evaluate tab's components and the way of every press: a message makes a new Place, a Place is drawn."""

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
from studio.ui.tabs.chat.place import Place as Talks
from studio.ui.tabs.evaluate import parts, row
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit

_QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
_LIVE = "window.studio && studio.view(element, props, watch, trigger);"


class EvaluateTab:
    """Two live views (what is to be asked, the opened evaluation) and the place of the person who looks at them."""

    def __init__(self, desk: Desk, words: Words, form: Form) -> None:
        self.desk, self.words, self.form = desk, words, form
        with gr.Row(elem_classes=["data", "evaluate"], elem_id="evaluate"):
            self.setup = _view("evaluate-list", "sets")
            self.body = _view("evaluate-body", "part")
        self.place = gr.State(Place())

    @property
    def outputs(self) -> list[Any]:
        """What `show` and `act` update."""
        return [self.setup, self.body, self.place]

    def connect(self, page: Any) -> None:
        """Which event calls which handler; both sides are drawn when the tab comes into sight."""
        held = [page.lang, self.place]
        acted = self.body.select(self.act, held, self.outputs, **_QUIET)
        talks = page.chat.place
        asked = self.body.submit(self.ask, [*held, talks], [*self.outputs, talks, page.tabs, page.tab], **_QUIET)
        for event in (acted, asked):
            event.then(None, None, None, js="() => window.studio && studio.answered()", **_QUIET)
        page.evaluate_tab.select(self.show, held, self.outputs, **_QUIET)
        for event in (page.relabelled, page.gone, page.loaded):
            event.then(self.refresh, [page.tab, *held], self.outputs, **_QUIET)
        for panel, run in ((page.train.panel, page.train.shown), (page.runs.panel, page.runs.opened)):
            begun = panel.evaluate.click(self.about, [run, self.place], [self.place], **_QUIET)
            begun.then(lambda: [gr.Tabs(selected="evaluate"), "evaluate"], None, [page.tabs, page.tab], **_QUIET)

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
        try:
            after = act(visit, said) if act else visit.place
        except StudioError as error:
            after = visit.place.fail(error)
        except Exception as error:  # whoever pressed is told, and the console has the rest
            traceback.print_exc()
            after = visit.place.fail(WorkError("unexpected", kind=type(error).__name__, reason=str(error)))
        return _drawn(Visit(lang, self.desk, after))


def _drawn(visit: Visit) -> list[Any]:
    return [parts.left(visit), parts.right(visit), visit.place]


def _view(name: str, kind: str) -> Any:
    return gr.HTML(
        "",
        html_template='<div class="view"></div>',
        js_on_load=_LIVE,
        elem_id=name,
        elem_classes=[kind],
        apply_default_css=False,
    )
