"""The Data tab's components and the way of every press: a message makes a new Place, a Place is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from studio.specs.train import ARGUMENTS
from studio.ui.tabs.data import mapping, opened, shelf
from studio.ui.tabs.data.parts import PARTS, draw
from studio.ui.tabs.data.place import FREE, OF_A_SET, Place
from studio.ui.tabs.data.visit import READING, Visit
from studio.ui.tabs.drawn_tab import DrawnTab
from studio.ui.tabs.views import QUIET
from studio.ui.widgets import LEFT_OUT, typed

# What a press can put into the Train form.
GIVEN = ("dataset", "cutoff_len", "template")
# What the Train form offers to choose from and is made here.
OFFERED = ("dataset", "eval_dataset", "template")


class DataTab(DrawnTab):
    """The datasets, and the opened part."""

    name = "data"
    first = Place()

    @property
    def reading(self) -> list[Any]:
        """The form's fields that decide what the model is shown."""
        return [self.form.widgets[name] for name in READING]

    @property
    def given(self) -> list[Any]:
        """The form's fields that a press here can fill."""
        return [self.form.widgets[name] for name in GIVEN]

    @property
    def offered(self) -> list[Any]:
        """The form's fields that offer what is made here."""
        return [self.form.widgets[name] for name in OFFERED]

    def connect(self, page: Any) -> None:
        """Which event calls which handler; the list and the part are drawn when the tab comes into sight."""
        held = [page.lang, self.place, *self.reading]
        acted = self.body.select(self.act, held, self.outputs, **QUIET)
        given = self.body.submit(self.give, [page.lang, self.place], [*self.given, page.tabs], **QUIET)
        page.look_after(given)
        self.follow(page, held, acted, given)
        page.train_tab.select(self.offer, [page.lang], self.offered, **QUIET)
        seen = page.train.see.click(self.see, [self.place, self.form.widgets["dataset"]], [self.place], **QUIET)
        seen.then(lambda: gr.Tabs(selected="data"), None, [page.tabs], **QUIET)

    # -- handlers

    def give(self, lang: str, place: Place, event: gr.EventData) -> list[Any]:
        """(the fields of GIVEN, the tabs): what a press puts into the form, and Train in front when it asks so."""
        said: Mapping[str, Any] = event._data or {}
        given = {"dataset": [place.set]} if said.get("do") == "train" and place.set else {}
        if said.get("do") == "use":
            given = {name: said[name] for name in GIVEN if name in said}
        fields = [gr.update(value=given[name]) if name in given else gr.skip() for name in GIVEN]
        if "dataset" in given:
            fields[0] = gr.update(value=given["dataset"], choices=self.desk.datasets(lang))
        if "template" in given:
            fields[2] = gr.update(value=given["template"], choices=self.desk.templates(lang))
        return [*fields, gr.Tabs(selected="train") if said.get("do") == "train" else gr.skip()]

    def offer(self, lang: str) -> list[Any]:
        """The choices of OFFERED as they are now: sets and templates that were made meanwhile are among them."""
        sets = self.desk.datasets(lang)
        return [gr.update(choices=sets), gr.update(choices=sets), gr.update(choices=self.desk.templates(lang))]

    def see(self, place: Place, chosen: Any) -> Place:
        """The microscope on the first row of the set chosen in the form; the list when none is chosen."""
        name = chosen[0] if isinstance(chosen, list) and chosen else ""
        return place.open(name, "seen") if name else place

    # -- its own

    def visit(self, lang: str, place: Place, *more: Any) -> Visit:
        """What its parts may know."""
        values = {name: typed(ARGUMENTS[name], value) for name, value in zip(READING, more, strict=True)}
        reading = {name: ARGUMENTS[name].default if value is LEFT_OUT else value for name, value in values.items()}
        return Visit(lang, self.desk, place, reading)

    def press(self, visit: Visit, said: Mapping[str, Any]) -> Place:
        """The place that follows from a message."""
        place, do = visit.place, str(said.get("do", ""))
        if do == "open":
            return place.open(str(said.get("to") or said.get("value", "")), str(said.get("part", "")))
        if do == "part" and said.get("to") in (*FREE, *(OF_A_SET if place.set else ())):
            return place.turn(str(said["to"]))
        if do == "map" and place.set:
            return mapping.again(visit)
        if do in shelf.ACTIONS:
            return shelf.ACTIONS[do](visit, said)
        act = PARTS[place.part].ACTIONS.get(do)
        return act(visit, said) if act else place

    def drawn(self, visit: Visit) -> list[Any]:
        """Both sides as HTML, and the place."""
        return [shelf.draw(visit), opened.frame(visit, draw(visit)), visit.place]
