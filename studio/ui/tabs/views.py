"""What the tabs that draw themselves have in common: live views, quiet events, presses that may fail."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import gradio as gr

from studio.errors import StudioError, WorkError
from studio.texts import has, say
from studio.texts.errors import of_error
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls

# Events of the page's own: no veil over what is being drawn, no public endpoint, and a second press is not lost.
QUIET: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "trigger_mode": "multiple"}
_LIVE = "window.studio && studio.view(element, props, watch, trigger);"


class Failing(Protocol):
    """A person's place in a tab, which can say what went wrong there."""

    def fail(self, error: StudioError) -> Any:
        """The same place with a sentence about the error."""


SomePlace = TypeVar("SomePlace", bound=Failing)


def live_view(name: str, kind: str) -> Any:
    """A part of the page that is sent as HTML and of which only what has changed is touched (assets/view.js)."""
    return gr.HTML(
        "",
        html_template='<div class="view"></div>',
        js_on_load=_LIVE,
        elem_id=name,
        elem_classes=[kind],
        apply_default_css=False,
    )


def attempt(place: SomePlace, act: Callable[[], SomePlace]) -> SomePlace:
    """The place that follows from a press; what goes wrong is a sentence in the place before it."""
    failed: StudioError
    try:
        return act()
    except StudioError as error:
        failed = error
    except Exception as error:  # whoever pressed is told, and the console has the rest
        traceback.print_exc()
        failed = WorkError("unexpected", kind=type(error).__name__, reason=str(error))
    after: SomePlace = place.fail(failed)
    return after


def or_why_not(lang: str, draw: Callable[[], Html],
               way_out: Callable[[StudioError], Html | None] | None = None) -> Html:
    """What is drawn, or why it cannot be, and the way out of it."""
    try:
        return draw()
    except StudioError as error:
        return join(controls.problem(of_error(lang, error)), way_out(error) if way_out else None)
    except Exception as error:  # whoever looks is told, and the console has the rest
        traceback.print_exc()
        return controls.problem(say(lang, "errors.unexpected", kind=type(error).__name__, reason=error))


def stands(place: Any) -> Html:
    """The place for the page's address."""
    return tag("div", data_stands=json.dumps(place.address, ensure_ascii=False), hidden=True, data_key="stands")


def said(lang: str, place: Any) -> Html | None:
    """What the last press has to say: a failure, or what was done."""
    told: dict[str, Any] = dict(place.said)
    if "code" in told:
        return controls.failure(lang, told)
    if "key" in told and has(lang, str(told["key"])):
        words = say(lang, str(told["key"]), **told.get("values", {}))
        return (controls.good if told.get("good") else controls.note)(words)
    return None
