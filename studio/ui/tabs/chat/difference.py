"""Difference: where the lanes' answers to one question part ways, word by word."""

from __future__ import annotations

import difflib
import re

from studio.chats.tree import ANSWERING
from studio.chats.views import AnswerView, TurnView
from studio.ui.markup import Html, tag
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls

# Words, single Chinese characters, white space, and everything else sign by sign.
_PIECES = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|\s+|[^\w\s]")
_MOST = 4000


def way(visit: Visit, turn: TurnView) -> Html | None:
    """The press that shows the difference, once several lanes have answered."""
    if len(turn.answers) < 2 or any(one.state == ANSWERING for one in turn.answers):
        return None
    is_open = visit.place.of("talk").get("difference") == turn.id
    first = turn.answers[0].place
    words = visit.say("difference.close") if is_open else visit.say("difference.show")
    note = visit.say("difference.note", place=first) if is_open else None
    press = controls.button(words, "difference", kind="link", message=turn.id)
    return tag("div", press, tag("small", note, class_="quiet") if note else None, class_="below-turn",
               data_key=f"difference-{turn.id}")


def draw(visit: Visit, turn: TurnView, answer: AnswerView) -> Html:
    """An answer with what it has and the first lane's answer has not, and the other way round."""
    first = turn.answers[0]
    if answer.id == first.id:
        return tag("div", tag("p", _said(first)), class_="words compared", data_key=f"compared-{answer.id}")
    before, after = pieces(_said(first)), pieces(_said(answer))
    found: list[Html] = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        gone, new = "".join(before[a:b]), "".join(after[c:d])
        if kind == "equal":
            found.append(tag("span", new))
            continue
        found += [tag("del", gone)] if gone.strip() else []
        found += [tag("ins", new)] if new else []
    return tag("div", tag("p", *found), class_="words compared", data_key=f"compared-{answer.id}")


def pieces(text: str) -> list[str]:
    """A text as the pieces that are compared; nothing is lost."""
    return _PIECES.findall(text)[:_MOST]


def _said(answer: AnswerView) -> str:
    return answer.content if answer.correction is None else answer.correction
