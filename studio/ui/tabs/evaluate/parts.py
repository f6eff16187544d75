"""Both sides of the tab, and whose press it was; a refusal is a sentence in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from studio.ui.markup import Html, join, tag
from studio.ui.tabs.evaluate import opened, rows, scores, setup, shelf
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit
from studio.ui.tabs.views import or_why_not, said, stands

Action = Callable[[Visit, Mapping[str, Any]], Place]
ACTIONS: dict[str, Action] = {**setup.ACTIONS, **shelf.ACTIONS, **opened.ACTIONS, **scores.ACTIONS, **rows.ACTIONS}


def left(visit: Visit) -> Html:
    """What is to be asked, and what was."""
    return join(*(or_why_not(visit.lang, partial(draw, visit)) for draw in (setup.draw, shelf.draw)))


def right(visit: Visit) -> Html:
    """The opened evaluation; the address travels along."""
    told = tag("div", said(visit.lang, visit.place), class_="told", data_key="told")
    return join(stands(visit.place), told, or_why_not(visit.lang, partial(opened.draw, visit)))
