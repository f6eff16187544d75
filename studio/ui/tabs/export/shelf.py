"""The exports made so far, each with its verdict, to be opened again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.exports.shelf import Exported
from studio.runs.state import State
from studio.ui import amounts, status
from studio.ui.markup import Html, join, tag
from studio.ui.run_exports import label
from studio.ui.tabs.data import controls
from studio.ui.tabs.export.place import Place
from studio.ui.tabs.export.visit import Visit

_MOST = 100
_MARKS = {"passed": "✓", "lossy": "≈", "failed": "✕", "unchecked": "–"}


def draw(visit: Visit) -> Html:
    """The way to a new export, and every export with what came of it."""
    new = tag("nav", controls.button(visit.say("shelf.new"), "open", to="",
                                     current="page" if not visit.place.run else None), class_="ways")
    head = tag("h3", visit.say("shelf.title"))
    if not visit.exports:
        return join(new, tag("section", head, controls.note(visit.say("shelf.empty")), data_key="shelf"))
    lines = [_line(visit, one) for one in visit.exports[:_MOST]]
    return join(new, tag("section", head, tag("nav", *lines, class_="shelf", aria_label=visit.say("shelf.title"),
                                              tabindex="-1"), data_key="shelf"))


def mark(visit: Visit, verdict: str) -> Html:
    """A verdict as a sign and a word."""
    sign = tag("i", _MARKS.get(verdict, "–"), aria_hidden="true")
    return tag("span", sign, visit.say(f"verdict.{verdict}"), class_=f"verdict-of {verdict}")


def _line(visit: Visit, one: Exported) -> Html:
    about = [amounts.moment(one.created)] + ([amounts.size(one.bytes)] if one.bytes else [])
    stands = mark(visit, one.verdict) if one.verdict in _MARKS and one.state is State.FINISHED \
        else status.dot(one.state, visit.lang)
    form = f"{label(visit.lang, one.form)} {one.variant}".strip()
    return tag("button", tag("span", one.source or one.name, class_="name"),
               tag("small", tag("b", form), " · ", " · ".join(about), class_="quiet"), stands,
               type="button", data_do="open", data_to=one.name, data_key=f"export-{one.name}", title=one.name,
               aria_current="page" if one.name == visit.place.run else None)


def open_(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Open an export, or the setting up of a new one."""
    return visit.place.open(str(said.get("to", "")))


ACTIONS = {"open": open_}
