"""The evaluations made so far, to be opened again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.chats import lanes
from studio.runs.summary import RunSummary
from studio.ui import amounts, status
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit

_MOST = 60


def draw(visit: Visit) -> Html:
    """Every evaluation with who was asked and how it stands."""
    head = tag("h3", visit.say("shelf.title"))
    found = visit.evaluations
    if not found:
        return tag("section", head, controls.note(visit.say("shelf.empty")), data_key="shelf")
    lines = [_line(visit, one) for one in found[:_MOST]]
    return tag("section", head, tag("nav", *lines, class_="shelf", aria_label=visit.say("shelf.title"), tabindex="-1"),
               data_key="shelf")


def asked(visit: Visit, name: str) -> str:
    """What was asked in an evaluation: datasets, exams, or the rows that a run held out."""
    about = lanes.said(visit.workspace, name)
    names = [str(one) for one in about.get("dataset") or []]
    if not names and about.get("guard") and not about.get("eval_run"):
        return visit.say("guard.title")
    if not names:
        return visit.say("setup.held_out", run=about.get("eval_run") or "–")
    return controls.joined(visit.lang, [visit.say("setup.exam", name=Path(one).stem) if "/" in one else one
                                        for one in names])


def _line(visit: Visit, one: RunSummary) -> Html:
    about = lanes.said(visit.workspace, one.name)
    who = visit.say("shelf.against").join(str(name) for name in about.get("eval_models") or []) or one.name
    what = asked(visit, one.name)
    state = status.dot(one.state, visit.lang) if str(one.state.value) != "finished" else None
    return tag("button", tag("span", who, class_="name"),
               tag("small", join(amounts.moment(one.created), " · ", what), class_="quiet"), state, type="button",
               data_do="open", data_to=one.name, data_key=f"evaluation-{one.name}", title=one.name,
               aria_current="page" if one.name == visit.place.run else None)


def open_(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Open an evaluation, or none."""
    return visit.place.open(str(said.get("to", "")))


ACTIONS = {"open": open_}
