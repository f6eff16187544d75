"""Blind votes: which place was better while nobody knows who stood there; who wins how often."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.chats.tree import ANSWERING
from studio.chats.views import TurnView
from studio.ui.markup import Html, tag
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls

TIE, BAD = "tie", "bad"


def ballot(visit: Visit, turn: TurnView) -> Html | None:
    """The vote below a blind round; after it, what was said."""
    if not turn.hidden:
        choice = str((turn.vote or {}).get("choice", ""))
        if not choice:
            return None
        words = visit.say(f"votes.was_{choice}") if choice in (TIE, BAD) else visit.say("votes.was", place=choice)
        return tag("div", tag("p", words, class_="quiet"), class_="below-turn", data_key=f"ballot-{turn.id}")
    going = len(turn.answers) < 2 or any(one.state == ANSWERING for one in turn.answers)
    offered = [*((one.place, visit.say("votes.better", place=one.place)) for one in turn.answers),
               (TIE, visit.say("votes.tie")), (BAD, visit.say("votes.bad"))]
    presses = [controls.button(words, "vote", message=turn.id, choice=choice, off=going) for choice, words in offered]
    return tag("div", *presses, class_="ballot", role="group", aria_label=visit.say("votes.ask"),
               data_key=f"ballot-{turn.id}")


def draw(visit: Visit) -> Html:
    """Who wins how often."""
    return controls.note(visit.say("votes.none"))


# ---- presses

def vote(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Count a vote; the names are shown."""
    visit.talk.vote(str(said.get("message", "")), str(said.get("choice", "")))
    return visit.place


ACTIONS = {"vote": vote}
