"""The Export tab's components and the way of every press: a message makes a new Place, a Place is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import gradio as gr

from studio.chats import lanes
from studio.ui.tabs.chat.place import Place as Talks
from studio.ui.tabs.drawn_tab import DrawnTab
from studio.ui.tabs.export import origin, parts, takeaway
from studio.ui.tabs.export.place import Place
from studio.ui.tabs.export.visit import Visit
from studio.ui.tabs.views import QUIET


class ExportTab(DrawnTab):
    """Past exports, and the opened or next one."""

    name = "export"
    first = Place()

    def connect(self, page: Any) -> None:
        """Which event calls which handler; both sides are drawn when the tab comes into sight."""
        held = [page.lang, self.place]
        acted = self.body.select(self.act, held, self.outputs, **QUIET)
        talks = page.chat.place
        talked = self.body.submit(self.talk, [*held, talks], [*self.outputs, talks, page.tabs, page.tab], **QUIET)
        self.follow(page, held, acted, talked)
        self.led_to(page, self.about)

    # -- handlers

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
            return [*self.drawn(visit), *[gr.skip()] * 3]
        return [*self.drawn(visit), talks.begin({"lanes": answering}), gr.Tabs(selected="chat"), "chat"]

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
