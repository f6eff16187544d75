"""Both sides of the tab, and whose press it was; a refusal is a sentence in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from studio.ui.markup import Html, join, tag
from studio.ui.tabs.export import forms, opened, optional, origin, setup, shelf
from studio.ui.tabs.export.place import Place
from studio.ui.tabs.export.visit import Visit
from studio.ui.tabs.views import or_why_not, said, stands

Action = Callable[[Visit, Mapping[str, Any]], Place]
ACTIONS: dict[str, Action] = {**origin.ACTIONS, **forms.ACTIONS, **optional.ACTIONS, **setup.ACTIONS, **shelf.ACTIONS,
                              **opened.ACTIONS}


def left(visit: Visit) -> Html:
    """What was exported."""
    return or_why_not(visit.lang, partial(shelf.draw, visit))


def right(visit: Visit) -> Html:
    """The opened export, else what is going to be exported; the address travels along."""
    told = tag("div", said(visit.lang, visit.place), opened.undo(visit), class_="told", data_key="told")
    draw = opened.draw if visit.place.run else setup.draw
    return join(stands(visit.place), told, or_why_not(visit.lang, partial(draw, visit)))
