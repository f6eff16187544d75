"""The parts of the tab by name, and how one is drawn: a refusal of the data is a sentence in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

from studio.ui.markup import Html
from studio.ui.tabs.data import bring, doctor, editing, history, lengths, make, rows, seen, templates
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit
from studio.ui.tabs.views import or_why_not

Action = Callable[[Visit, Mapping[str, Any]], Place]


class Part(Protocol):
    """What each part's module has."""

    ACTIONS: Mapping[str, Action]

    def draw(self, visit: Visit) -> Html:
        """The part as HTML; raises StudioError for data that cannot be shown."""


PARTS: dict[str, Any] = {
    "bring": bring,
    "make": make,
    "templates": templates,
    "rows": rows,
    "doctor": doctor,
    "seen": seen,
    "lengths": lengths,
    "versions": history,
}


def draw(visit: Visit) -> Html:
    """The part in sight, or why it cannot be shown."""
    return or_why_not(visit.lang, lambda: PARTS[visit.place.part].draw(visit), partial(editing.way_out, visit))
