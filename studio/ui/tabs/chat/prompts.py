"""A prompt set: many prompts sent through all lanes in one go, the answers in a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.ui.markup import Html
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls


def draw(visit: Visit) -> Html:
    """The set, the lanes and the table."""
    return controls.note(visit.say("prompts.none"))


ACTIONS: dict[str, Callable[[Visit, Mapping[str, Any]], Place]] = {}
