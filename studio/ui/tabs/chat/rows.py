"""Answers that become data: one that is wrong is put right in its place; answers, corrections and whole conversations
are saved as datasets of the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.chats import rows, votes
from studio.chats.views import AnswerView
from studio.data.catalogue import Entry
from studio.specs.train import ARGUMENTS
from studio.ui import amounts
from studio.ui.markup import Html, tag
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls

# What is saved, and the name that its dataset has until somebody gives another.
NAMES = {"answer": "chat_answers", "conversation": "chat_conversations", "corrections": "chat_corrections",
         "preferences": "chat_preferences"}


def correcting(visit: Visit, answer: AnswerView) -> Html:
    """The answer in a box; what stands there is what the conversation goes on with."""
    text = answer.content if answer.correction is None else answer.correction
    box = controls.area("text", text, rows=6, name_for=visit.say("answer.correct"), data_focus=f"correct-{answer.id}")
    keep = controls.submit(visit.say("rows.keep"), kind="strong")
    back = controls.button(visit.say("rows.take_back"), "take_back", kind="quiet", answer=answer.id) \
        if answer.correction is not None else None
    leave = controls.button(visit.say("talk.leave"), "close", kind="quiet")
    return controls.form("corrected", box, controls.row(keep, back, leave), answer=answer.id, class_="editing",
                         escape="close")


def way(visit: Visit, answer: AnswerView) -> Html:
    """The press that saves a question and its answer as a training row."""
    return controls.button(visit.say("rows.save"), "saving", kind="link", answer=answer.id, what="answer",
                           title=visit.say("rows.save_tip"))


def form(visit: Visit, what: str, answer: str = "") -> Html | None:
    """The name of the dataset that is about to be written or added to, when somebody has asked for it."""
    held = visit.place.of("rows")
    if held.get("saving") != f"{what}:{answer}":
        return None
    label = visit.say("rows.dataset")
    name = controls.field("name", str(held.get(f"name-{what}") or NAMES[what]), name_for=label,
                          data_focus=f"save-{what}-{answer}")
    save = controls.submit(visit.say("rows.save_it"), kind="strong")
    leave = controls.button(visit.say("talk.leave"), "saving", kind="quiet", what=what, answer=answer)
    return controls.form("save", controls.labelled(label, name, class_="grow"), save, leave, what=what,
                         answer=answer or None, class_="inline saving", key=f"saving-{what}-{answer}")


# ---- presses

def corrected(visit: Visit, said: Mapping[str, Any]) -> Place:
    """What the answer should have been."""
    visit.talk.correct(str(said.get("answer", "")), str((said.get("fields") or {}).get("text", "")))
    return visit.place.keep("talk", correcting=None)


def take_back(visit: Visit, said: Mapping[str, Any]) -> Place:
    """The answer as the model gave it."""
    visit.talk.correct(str(said.get("answer", "")), None)
    return visit.place.keep("talk", correcting=None)


def saving(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Ask for the dataset's name, or ask no more."""
    wanted = f"{said.get('what', '')}:{said.get('answer') or ''}"
    return visit.place.keep("rows", saving="" if visit.place.of("rows").get("saving") == wanted else wanted)


def save(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Write what was asked for into a dataset; the way there stands in the sentence."""
    what, answer = str(said.get("what", "")), str(said.get("answer") or "")
    name = str((said.get("fields") or {}).get("name", ""))
    entry, new = _written(visit, what, answer, name)
    place = visit.place.keep("rows", **{"saving": "", f"name-{what}": entry.name})
    return place.tell("page.chat.rows.saved" if new else "page.chat.rows.nothing_new", good=True,
                      link=f"?tab=data&set={entry.name}", words="rows.open", name=entry.name,
                      count=amounts.count(new)).made(entry.name, what)


def _written(visit: Visit, what: str, answer: str, name: str) -> tuple[Entry, int]:
    workspace, chat = visit.workspace, visit.place.chat
    if what == "answer":
        return rows.save_answer(workspace, name, chat, answer)
    if what == "conversation":
        return rows.save_conversations(workspace, name, [chat])
    if what == "corrections":
        return rows.save_corrections(workspace, name)
    return votes.save_preferences(workspace, name)


def said_more(visit: Visit) -> Html | None:
    """Behind the sentence about a dataset: the press that trains on it, where there is a method for its rows."""
    name, what = str(visit.place.said.get("made", "")), str(visit.place.said.get("what", ""))
    stage = "dpo" if what == "preferences" else "sft"
    if not name or stage not in stages():
        return None
    words = visit.say("rows.train_dpo" if stage == "dpo" else "rows.train")
    return tag("span", " ", controls.button(words, "train", kind="link", event="submit", stage=stage, set=name))


def stages() -> tuple[str, ...]:
    """The methods that a run can have."""
    return tuple(str(one) for one in ARGUMENTS["stage"].choices)


ACTIONS = {"corrected": corrected, "take_back": take_back, "saving": saving, "save": save}
