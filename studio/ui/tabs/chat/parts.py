"""The parts of the tab by name, how one is drawn, and whose press it was; a refusal is a sentence in its place."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from studio.texts import has
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.chat import composer, lanes, prompts, rows, shelf, turns, votes
from studio.ui.tabs.chat.place import PARTS, Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls
from studio.ui.tabs.views import or_why_not, stands

Action = Callable[[Visit, Mapping[str, Any]], Place]
ACTIONS: dict[str, Action] = {**shelf.ACTIONS, **lanes.ACTIONS, **composer.ACTIONS, **turns.ACTIONS, **prompts.ACTIONS}


def frame(visit: Visit) -> Html:
    """The part in sight below its head; the address travels along."""
    told = tag("div", _said(visit), class_="told", data_key="told")
    return join(stands(visit.place), told, draw(visit))


def draw(visit: Visit) -> Html:
    """The part in sight, or why it cannot be shown."""
    part = {"talk": _talk, "votes": votes.draw, "prompts": prompts.draw}[visit.place.part]
    return or_why_not(visit.lang, partial(part, visit), lambda error: shelf.way_out(visit))


def turn(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Go to another part."""
    return replace(visit.place, part=str(said["to"]), said={}) if said.get("to") in PARTS else visit.place


ACTIONS["part"] = turn


def _talk(visit: Visit) -> Html:
    version = visit.seen.version if visit.seen else 0
    return tag(
        "div",
        shelf.head(visit),
        lanes.draw(visit),
        turns.draw(visit),
        composer.draw(visit),
        class_="inside of-talk",
        data_key=f"talk-{visit.place.chat}",
        data_talk=visit.place.chat,
        data_version=version,
        style=f"--lanes:{max(1, len(visit.lanes))}",
    )


def _said(visit: Visit) -> Html | None:
    """What the last press has to say: a failure, or what was done."""
    said: dict[str, Any] = dict(visit.place.said)
    if "code" in said:
        return controls.failure(visit.lang, said)
    if "key" in said and has(visit.lang, str(said["key"])):
        words = visit.say(str(said["key"]).removeprefix("page.chat."), **said.get("values", {}))
        link = said.get("link")
        way = tag("a", visit.say(str(said["words"])), href=link, data_go=True) if link else None
        return (controls.good if said.get("good") else controls.note)(join(words, " ", way, rows.said_more(visit)))
    return None
