"""Answers that become data: one that is wrong is put right in its place, and saved as a training row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.chats.views import AnswerView, TurnView
from studio.ui.markup import Html
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls


def correcting(visit: Visit, answer: AnswerView) -> Html:
    """The answer in a box; what stands there is what the conversation goes on with."""
    text = answer.content if answer.correction is None else answer.correction
    box = controls.area("text", text, rows=6, name_for=visit.say("answer.correct"), data_focus=f"correct-{answer.id}")
    save = controls.submit(visit.say("rows.keep"), kind="strong")
    back = controls.button(visit.say("rows.take_back"), "take_back", kind="quiet", answer=answer.id) \
        if answer.correction is not None else None
    leave = controls.button(visit.say("talk.leave"), "close", kind="quiet")
    return controls.form("corrected", box, controls.row(save, back, leave), answer=answer.id, class_="editing")


def way(visit: Visit, turn: TurnView, answer: AnswerView) -> Html | None:
    """The press that saves a question and its answer as a training row."""
    return None


# ---- presses

def corrected(visit: Visit, said: Mapping[str, Any]) -> Place:
    """What the answer should have been."""
    visit.talk.correct(str(said.get("answer", "")), str((said.get("fields") or {}).get("text", "")))
    return visit.place.keep("talk", correcting=None)


def take_back(visit: Visit, said: Mapping[str, Any]) -> Place:
    """The answer as the model gave it."""
    visit.talk.correct(str(said.get("answer", "")), None)
    return visit.place.keep("talk", correcting=None)


ACTIONS = {"corrected": corrected, "take_back": take_back}
