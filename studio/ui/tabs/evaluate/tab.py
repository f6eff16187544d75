"""The Evaluate tab's components and the way of every press: a message makes a new Place, a Place is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.errors import StudioError
from studio.ui.tabs.chat.place import Place as Talks
from studio.ui.tabs.drawn_tab import DrawnTab
from studio.ui.tabs.evaluate import again, parts, row
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit
from studio.ui.tabs.views import QUIET, attempt


class EvaluateTab(DrawnTab):
    """What is to be asked and was, and the opened evaluation."""

    name = "evaluate"
    first = Place()

    def connect(self, page: Any) -> None:
        """Which event calls which handler; both sides are drawn when the tab comes into sight."""
        held = [page.lang, self.place]
        acted = self.body.select(self.act, held, self.outputs, **QUIET)
        talks = page.chat.place
        asked = self.body.submit(self.ask, [*held, talks], [*self.outputs, talks, page.tabs, page.tab], **QUIET)
        self.follow(page, held, acted, asked)
        self.led_to(page, self.about)

    # -- handlers

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
            return [*self.drawn(Visit(lang, self.desk, place.fail(error))), *[gr.skip()] * 3]
        talk = talks.begin({"lanes": lanes, "system": system}).keep("composer", draft=text)
        return [*self.drawn(visit), talk, gr.Tabs(selected="chat"), "chat"]

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
        return [parts.left(visit), parts.right(visit), visit.place]
