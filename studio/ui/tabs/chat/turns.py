"""The conversation: questions, and below each the lanes' answers side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.chats.tree import ANSWERING
from studio.chats.views import AnswerView, TurnView
from studio.ui import prose
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.chat import answer as drawn
from studio.ui.tabs.chat import difference, lens, rows, votes
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls

# What one may have opened in the conversation: an edited question, a corrected answer, a lens, a difference.
_OPENED = ("editing", "correcting", "lens", "difference")


def draw(visit: Visit) -> Html:
    """Every turn of the branch in sight; what will stand here before the first one."""
    seen = visit.seen
    if seen is None or not seen.turns:
        return tag("div", tag("p", visit.say("talk.empty"), class_="quiet"), class_="turns empty-talk",
                   data_key="turns")
    columns = len(visit.lanes) or 1
    places = sorted({one.place for turn in seen.turns for one in turn.answers} | set(visit.lanes))
    at = {place: number for number, place in enumerate(places, 1)}
    last = seen.turns[-1].id
    return tag("div", *(_turn(visit, turn, at, turn.id == last) for turn in seen.turns), class_="turns",
               style=f"--lanes:{max(columns, len(places))}", data_key="turns")


def _turn(visit: Visit, turn: TurnView, at: Mapping[str, int], is_last: bool) -> Html:
    comparing = visit.place.of("talk").get("difference") == turn.id and not turn.hidden
    answers = [_cell(visit, turn, one, at[one.place], comparing) for one in turn.answers]
    return tag(
        "section",
        _question(visit, turn, at),
        tag("div", *answers, class_="answers"),
        votes.ballot(visit, turn) if turn.blind else difference.way(visit, turn),
        class_="turn-of last" if is_last else "turn-of",
        data_key=f"turn-{turn.id}",
    )


def _question(visit: Visit, turn: TurnView, at: Mapping[str, int]) -> Html:
    """What was asked, or a tool's result; it can be written anew, which begins a branch."""
    if visit.place.of("talk").get("editing") == turn.id:
        return _editing(visit, turn)
    only = turn.answers[0].place if turn.alone and turn.answers else ""
    tip = visit.say("talk.edit_tip")
    edit = controls.button(visit.say("talk.edit"), "edit", kind="link", message=turn.id, title=tip)
    body = tag("pre", turn.content) if turn.role == "tool" else tag("div", *prose.blocks(turn.content, visit.lang))
    to = tag("small", visit.say("talk.only", place=only), class_="chip") if only else None
    tool = tag("small", visit.say("talk.tool"), class_="chip") if turn.role == "tool" else None
    ways = tag("div", drawn.turned(visit, turn.siblings, turn.id, "point", "message"),
               edit if turn.role == "user" else None, class_="presses")
    return tag("div", tag("div", to, tool, body, class_="asked"), ways, class_="question",
               style=f"--at:{at[only]}" if only in at else None, data_key=f"question-{turn.id}")


def _editing(visit: Visit, turn: TurnView) -> Html:
    box = controls.area("text", turn.content, rows=3, name_for=visit.say("talk.edit"), data_enter=True,
                        data_focus=f"edit-{turn.id}")
    send = controls.submit(visit.say("talk.send_again"), kind="strong")
    stop = controls.button(visit.say("talk.leave"), "close", kind="quiet", what="editing")
    return controls.form("edit_to", box, controls.row(send, stop), message=turn.id, class_="editing",
                         escape="close")


def _cell(visit: Visit, turn: TurnView, one: AnswerView, column: int, comparing: bool) -> Html:
    held = visit.place.of("talk")
    body: Html | None = None
    if held.get("correcting") == one.id and not turn.hidden:
        body = rows.correcting(visit, one)
    elif held.get("lens") == one.id and one.has_lens:
        body = lens.draw(visit, one)
    elif comparing:
        body = difference.draw(visit, turn, one)
    presses = join(_presses(visit, turn, one), rows.form(visit, "answer", one.id))
    return tag("div", drawn.draw(visit, one, body, presses, named=turn.blind), class_="cell",
               style=f"--at:{column}", data_key=f"cell-{one.place}")


def _presses(visit: Visit, turn: TurnView, one: AnswerView) -> Html | None:
    """What can be done with an answer; before a vote, nothing that would tell who it is."""
    if one.state == ANSWERING:
        stop = controls.button(visit.say("talk.stop_one"), "stop", kind="link", answer=one.id)
        return None if turn.hidden else tag("div", stop, class_="presses")
    copy = tag("button", visit.say("answer.copy"), type="button", class_="press link", data_copy_of=f"said-{one.id}")
    if turn.hidden:
        return tag("div", copy, class_="presses")
    alone = len(visit.lanes) > 1 and one.lane in visit.lanes.values()
    offered = [
        ("again", visit.say("answer.again"), True),
        ("go_on", visit.say("answer.go_on"), not one.tool_calls),
        ("correct", visit.say("answer.correct"), True),
        ("lens", visit.say("answer.lens"), one.has_lens),
    ]
    presses = [controls.button(words, do, kind="link", answer=one.id, title=visit.say(f"answer.{do}_tip"))
               for do, words, is_there in offered if is_there]
    only = controls.button(visit.say("answer.only"), "only", kind="link", answer=one.id,
                           title=visit.say("answer.only_tip")) if alone else None
    return tag("div", copy, *presses, only, rows.way(visit, one), class_="presses")


# ---- presses

def toggle(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Open an editor, a lens or a comparison in the conversation, one at a time; or close it."""
    do = str(said.get("do"))
    what = {"edit": "editing", "correct": "correcting"}.get(do, do)
    which = str(said.get("message") or said.get("answer") or "")
    is_open = visit.place.of("talk").get(what) == which
    held = {**dict.fromkeys(_OPENED), what: None if is_open else which, "token": None}
    return visit.place.keep("talk", **held)


def close(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Close what is open."""
    return visit.place.keep("talk", **dict.fromkeys(_OPENED), token=None)


def edit_to(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Ask a question anew in other words: a branch of its own."""
    text = str((said.get("fields") or {}).get("text", ""))
    visit.talk.edit(str(said.get("message", "")), text)
    return close(visit, said)


def point(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Bring another wording's branch into sight."""
    visit.talk.conversation.point(str(said.get("message", "")))
    return close(visit, said)


def pick(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Go on with another answer of a lane."""
    visit.talk.conversation.pick(str(said.get("answer", "")))
    return visit.place


def again(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Have a lane answer once more."""
    answer = visit.talk.conversation.answer(str(said.get("answer", "")))
    visit.talk.regenerate(answer.message, answer.slot)
    return close(visit, said)


def go_on(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Have an answer continued where it ends."""
    visit.talk.proceed(str(said.get("answer", "")))
    return visit.place


def tool(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Give back what the tools have found."""
    given = {name.removeprefix("call-"): str(value) for name, value in (said.get("fields") or {}).items()}
    visit.talk.answer_tool(str(said.get("answer", "")), given)
    return visit.place


def stop(visit: Visit, said: Mapping[str, Any]) -> Place:
    """End one answer, or all that are being said."""
    visit.talk.stop(visit.talk.conversation.answer(str(said["answer"])).slot if said.get("answer") else None)
    return visit.place


def only(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Send the next question to one lane alone; a second press, to all again."""
    slot = visit.talk.conversation.answer(str(said["answer"])).slot if said.get("answer") else ""
    return visit.place.keep("talk", only="" if slot == visit.place.of("talk").get("only") else slot)


ACTIONS = {"edit": toggle, "correct": toggle, "lens": toggle, "difference": toggle, "close": close, "edit_to": edit_to,
           "point": point, "pick": pick, "again": again, "go_on": go_on, "tool": tool, "stop": stop, "only": only,
           **rows.ACTIONS, **lens.ACTIONS, **votes.ACTIONS}
