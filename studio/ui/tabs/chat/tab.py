"""The Chat tab's components and the way of every press: a message makes a new Place, a Place is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.ui.tabs.chat import parts, shelf
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.drawn_tab import DrawnTab
from studio.ui.tabs.views import QUIET


class ChatTab(DrawnTab):
    """The conversations, and the part in sight."""

    name = "chat"
    first = Place()

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
        self.follow(page, held, acted, given)
        self.led_to(page, self.beside)

    # -- handlers

    def beside(self, run: str, place: Place) -> Place:
        """Before a conversation with a run's result beside its base."""
        return place.to("", run)

    def give(self, lang: str, event: gr.EventData) -> list[Any]:
        """(the fields of `given`, the tabs): a dataset that was made here and its method, Train in front."""
        said: Mapping[str, Any] = event._data or {}
        dataset = gr.update(value=[str(said.get("set", ""))], choices=self.desk.datasets(lang))
        return [gr.update(value=str(said.get("stage", "sft"))), dataset, gr.Tabs(selected="train")]

    # -- its own

    def visit(self, lang: str, place: Place, *more: Any) -> Visit:
        """What its parts may know."""
        return Visit(lang, self.desk, place)

    def press(self, visit: Visit, said: Mapping[str, Any]) -> Place:
        """The place that follows from a message."""
        act = parts.ACTIONS.get(str(said.get("do", "")))
        return act(visit, said) if act else visit.place

    def drawn(self, visit: Visit) -> list[Any]:
        """Both sides as HTML, and the place."""
        return [shelf.draw(visit), parts.frame(visit), visit.place]
