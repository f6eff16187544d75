"""A row as people read it: a conversation, a pair of answers, a text; and as it stands in the file."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from studio.sample import Message, Sample
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data.visit import Visit

_MOST_CHARACTERS = 4000


def conversation(visit: Visit, sample: Sample) -> Html:
    """A sample's turns; two answers stand side by side; what is long is cut for the eye and says so."""
    if sample.text:
        return tag("div", _turn(visit, "text", sample.text), class_="talk")
    shared = sample.messages
    if sample.rejected:
        kept = len(shared) - len(sample.rejected)
        chosen, shared = shared[max(kept, 0) :], shared[: max(kept, 0)]
        pair = tag("div", _side(visit, "chosen", chosen), _side(visit, "rejected", sample.rejected), class_="pair")
        return tag("div", *_turns(visit, shared), pair, _tools(visit, sample), class_="talk")
    liked = None
    if sample.liked is not None:
        liked = tag("p", visit.say("talk.liked" if sample.liked else "talk.disliked"), class_="quiet")
    return tag(
        "div", *_turns(visit, shared), liked, _choices(visit, sample.choices), _tools(visit, sample), class_="talk"
    )


def raw(row: Any) -> Html:
    """A row as it stands in its file."""
    text = row if isinstance(row, str) else json.dumps(row, ensure_ascii=False, indent=1, default=str)
    return tag("pre", _short(text), class_="raw")


def columns(row: Any) -> Html:
    """A row of plain columns as terms and texts; any other as it stands in its file."""
    if isinstance(row, dict) and all(isinstance(value, str) for value in row.values()):
        return tag(
            "dl",
            *(join(tag("dt", name), tag("dd", _short(value))) for name, value in row.items() if value),
            class_="columns",
        )
    return raw(row)


def _side(visit: Visit, name: str, messages: Sequence[Message]) -> Html:
    return tag("div", tag("h4", visit.say(f"talk.{name}")), *_turns(visit, messages), class_=f"side {name}")


def _turns(visit: Visit, messages: Sequence[Message]) -> list[Html]:
    return [_turn(visit, one.role, one.content, one) for one in messages]


def _turn(visit: Visit, role: str, words: str, message: Message | None = None) -> Html:
    thinking = (
        tag(
            "details", tag("summary", visit.say("talk.thinking")), tag("p", _short(message.thinking)), class_="thinking"
        )
        if message and message.thinking
        else None
    )
    calls = [
        tag("pre", f"{call.get('name', '')}({_arguments(call)})", class_="raw")
        for call in (message.tool_calls if message else ())
    ]
    said = tag("p", _short(words)) if words or not calls else None
    return tag(
        "div",
        tag("span", visit.say(f"talk.{role}"), class_="who"),
        tag("div", thinking, said, *calls),
        class_=f"turn {role}",
    )


def _arguments(call: Mapping[str, Any]) -> str:
    return json.dumps(call.get("arguments", {}), ensure_ascii=False, default=str)


def _tools(visit: Visit, sample: Sample) -> Html | None:
    if not sample.tools:
        return None
    return tag(
        "details",
        tag("summary", visit.say("talk.tools", count=len(sample.tools))),
        raw([dict(one) for one in sample.tools]),
        class_="thinking",
    )


def _choices(visit: Visit, choices: Sequence[str]) -> Html | None:
    return tag("ol", *(tag("li", one) for one in choices), class_="choices") if choices else None


def _short(text: str) -> Html:
    if len(text) <= _MOST_CHARACTERS:
        return join(text)
    left = f"{len(text) - _MOST_CHARACTERS:,}"
    return join(text[:_MOST_CHARACTERS], tag("span", f" … +{left}", class_="quiet"))
