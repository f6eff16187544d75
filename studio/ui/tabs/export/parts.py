"""Both sides of the tab, and whose press it was; a refusal is a sentence in its place."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from studio.errors import StudioError
from studio.texts import has, say
from studio.texts.errors import of_error
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.export import forms, opened, optional, origin, setup, shelf
from studio.ui.tabs.export.place import Place
from studio.ui.tabs.export.visit import Visit

Action = Callable[[Visit, Mapping[str, Any]], Place]
ACTIONS: dict[str, Action] = {**origin.ACTIONS, **forms.ACTIONS, **optional.ACTIONS, **setup.ACTIONS, **shelf.ACTIONS,
                              **opened.ACTIONS}


def left(visit: Visit) -> Html:
    """What was exported."""
    return _or_why_not(visit, shelf.draw)


def right(visit: Visit) -> Html:
    """The opened export, else what is going to be exported; the address travels along."""
    stands = tag("div", data_stands=json.dumps(visit.place.address, ensure_ascii=False), hidden=True, data_key="stands")
    told = tag("div", _said(visit), opened.undo(visit), class_="told", data_key="told")
    return join(stands, told, _or_why_not(visit, opened.draw if visit.place.run else setup.draw))


def _or_why_not(visit: Visit, draw: Callable[[Visit], Html]) -> Html:
    try:
        return draw(visit)
    except StudioError as error:
        return controls.problem(of_error(visit.lang, error))
    except Exception as error:  # whoever looks is told, and the console has the rest
        traceback.print_exc()
        return controls.problem(say(visit.lang, "errors.unexpected", kind=type(error).__name__, reason=error))


def _said(visit: Visit) -> Html | None:
    """What the last press has to say: a failure, or what was done."""
    said: dict[str, Any] = dict(visit.place.said)
    if "code" in said:
        return controls.failure(visit.lang, said)
    if "key" in said and has(visit.lang, str(said["key"])):
        words = say(visit.lang, str(said["key"]), **said.get("values", {}))
        return (controls.good if said.get("good") else controls.note)(words)
    return None
