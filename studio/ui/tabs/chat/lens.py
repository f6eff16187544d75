"""Token lens: an answer token by token, coloured by confidence; one opened, with what else might have stood there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from studio.chats.tree import Token
from studio.chats.views import AnswerView
from studio.ui.markup import Html, tag
from studio.ui.tabs.chat.place import Place
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls

# How sure the model was of a token: class, at least this probability.
_LEVELS = (("sure", 0.9), ("likely", 0.6), ("open", 0.3), ("unsure", 0.0))
_SPACE, _NEWLINE = "·", "⏎"


def draw(visit: Visit, answer: AnswerView) -> Html:
    """The tokens of an answer, and the opened one with its alternatives."""
    tokens = visit.talk.conversation.tokens(answer.id)
    opened = str(visit.place.of("talk").get("token"))
    at = int(opened) if opened.isdigit() and int(opened) < len(tokens) else None
    words = [_token(visit, answer, number, token, number == at) for number, token in enumerate(tokens)]
    return tag(
        "div",
        _legend(visit),
        tag("div", *words, class_="tokens", role="group", aria_label=visit.say("answer.lens")),
        _opened(visit, answer, at, tokens[at]) if at is not None else controls.note(visit.say("lens.press")),
        class_="lens",
        data_key=f"lens-{answer.id}",
    )


def level(logprob: float | None) -> str:
    """The class of a probability; `unknown` for none."""
    if logprob is None:
        return "unknown"
    share = math.exp(min(0.0, logprob))
    return next(name for name, least in _LEVELS if share >= least)


def chance(logprob: float | None) -> str:
    """A probability as a percentage with as many digits as it needs."""
    if logprob is None:
        return "–"
    percent = 100 * math.exp(min(0.0, logprob))
    return f"{percent:.0f} %" if percent >= 99.95 else f"{percent:.1f} %" if percent >= 0.1 else f"{percent:.1g} %"


def visible(text: str) -> str:
    """A token's text with its white space as signs."""
    return text.replace("\n", _NEWLINE).replace(" ", _SPACE).replace("\t", "⇥") or "∅"


def _token(visit: Visit, answer: AnswerView, number: int, token: Token, is_open: bool) -> Html:
    text, _, logprob = token[:3]
    words = text if text.strip() else visible(text) + ("\n" if "\n" in text else "")
    return tag(
        "button",
        words,
        type="button",
        class_=f"t {level(logprob)}",
        title=f"{visible(text)} {chance(logprob)}",
        aria_pressed="true" if is_open else "false",
        data_do="token",
        data_answer=answer.id,
        data_at=number,
    )


def _legend(visit: Visit) -> Html:
    said = [tag("span", tag("b", visit.say(f"lens.{name}"), class_=f"t {name}")) for name, _ in _LEVELS]
    return tag("p", *said, class_="legend")


def _opened(visit: Visit, answer: AnswerView, at: int, token: Token) -> Html:
    """The token, its probability and its alternatives; each of them can be taken instead."""
    text, id, logprob, others = (*token, [])[:4]
    rows = [(text, id, logprob, True), *((one[0], one[1], one[2], False) for one in others or () if one[1] != id)]
    lines = []
    for words, other, chance_of, is_own in sorted(rows, key=lambda row: -(row[2] if row[2] is not None else -99.0)):
        share = 100 * math.exp(min(0.0, chance_of)) if chance_of is not None else 0.0
        take = tag("span", visit.say("lens.chosen"), class_="chip") if is_own else controls.button(
            visit.say("lens.take"), "from", kind="link", answer=answer.id, at=at, id=other,
            title=visit.say("lens.take_tip"), off=other < 0)
        lines.append(tag("tr", tag("td", tag("code", visible(words))), tag("td", chance(chance_of)),
                         tag("td", tag("div", tag("span", style=f"width:{share:.1f}%"), class_="bar")),
                         tag("td", take)))
    number = tag("p", visit.say("lens.token", number=at + 1, id=id if id >= 0 else "–"), class_="quiet")
    return tag("div", number, tag("table", tag("tbody", *lines)), class_="alternatives", data_key="alternatives")


# ---- presses

def token(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Open a token, or close it."""
    at = str(said.get("at", ""))
    return visit.place.keep("talk", token=None if visit.place.of("talk").get("token") == at else at)


def start_from(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Answer again from here with another choice: a variant beside this answer."""
    made = visit.talk.again_from(str(said.get("answer", "")), int(said.get("at", -1)), int(said.get("id", -1)))
    return visit.place.keep("talk", lens=made.id, token=None)


ACTIONS = {"token": token, "from": start_from}
