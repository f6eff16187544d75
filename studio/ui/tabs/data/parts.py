"""The parts of the tab by name, and how one is drawn: a refusal of the data is a sentence in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from studio.errors import StudioError
from studio.texts.errors import of_error
from studio.ui.markup import Html
from studio.ui.tabs.data import bring, controls, rows
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

Action = Callable[[Visit, Mapping[str, Any]], Place]


class Part(Protocol):
    """What each part's module has."""

    ACTIONS: Mapping[str, Action]

    def draw(self, visit: Visit) -> Html:
        """The part as HTML; raises StudioError for data that cannot be shown."""


PARTS: dict[str, Any] = {"bring": bring, "rows": rows}


def draw(visit: Visit) -> Html:
    """The part in sight, or why it cannot be shown."""
    try:
        return PARTS[visit.place.part].draw(visit)
    except StudioError as error:
        return controls.problem(of_error(visit.lang, error))
