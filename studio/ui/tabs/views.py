"""What the tabs that draw themselves have in common: live views, quiet events, presses that may fail."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import gradio as gr

from studio.errors import StudioError, WorkError

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
