"""The parts of the tab by name, and how one is drawn: a refusal of the data is a sentence in its place."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from studio.errors import StudioError
from studio.texts import say
from studio.texts.errors import of_error
from studio.ui.markup import Html, join
from studio.ui.tabs.data import bring, controls, doctor, editing, history, lengths, make, rows, seen, templates
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

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
    try:
        return PARTS[visit.place.part].draw(visit)
    except StudioError as error:
        return join(controls.problem(of_error(visit.lang, error)), editing.way_out(visit, error))
    except Exception as error:  # whoever looks is told, and the console has the rest
        traceback.print_exc()
        return controls.problem(say(visit.lang, "errors.unexpected", kind=type(error).__name__, reason=error))
