"""Messages as chat templates take them: dicts in the form that transformers made common, with marks where asked for.

Templates differ in where they look for thinking, and in whether the arguments of a call are an object or its JSON and
a call's turn has an empty content or none; `Manner` holds which of these a template wants.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.sample import Message

Turn = dict[str, Any]
THINKING_KEYS = ("reasoning_content", "thinking", "reasoning")
OPEN, CLOSE = "\uf8e1", "\uf8e2"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a template wants turns: the key of thinking, "" for `<think>` in front of the words; the form of calls."""

    thinking: str = ""
    arguments_as_text: bool = False
    empty_as_none: bool = False


def manners(source: str) -> list[Manner]:
    """The manners to try with a template, the most usual first."""
    asked = (f".{key}" in source or f"'{key}'" in source or f'"{key}"' in source for key in THINKING_KEYS)
    key = next((key for key, is_asked in zip(THINKING_KEYS, asked, strict=True) if is_asked), "")
    return [Manner(key, as_text, as_none) for as_text in (False, True) for as_none in (False, True)]


def turn_of(message: Message, manner: Manner) -> Turn:
    """One message in the manner of a template."""
    turn: Turn = {"role": message.role, "content": message.content}
    if message.thinking and manner.thinking:
        turn[manner.thinking] = message.thinking
    elif message.thinking:
        turn["content"] = f"<think>\n{message.thinking}\n</think>\n\n{message.content}"
    if message.tool_calls:
        turn["tool_calls"] = [_call(one, place, manner) for place, one in enumerate(message.tool_calls)]
        if manner.empty_as_none and not turn["content"]:
            turn["content"] = None
    return turn


def _call(call: Mapping[str, Any], place: int, manner: Manner) -> dict[str, Any]:
    arguments = call.get("arguments") or {}
    if manner.arguments_as_text:
        arguments = json.dumps(arguments, ensure_ascii=False)
    # Nine letters and digits, as Mistral's templates want ids to be.
    return {"id": f"call{place:05d}", "type": "function", "function": {"name": call["name"], "arguments": arguments}}


def schemas(tools: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]] | None:
    """The tools as templates want them; None when there are none."""
    return [dict(one) if "function" in one else {"type": "function", "function": dict(one)} for one in tools] or None


def is_plain(turns: Sequence[Turn]) -> bool:
    """Whether turns are roles and words alone, without tools and thinking."""
    return all(len(turn) == 2 and turn["role"] != "tool" and turn["content"] is not None for turn in turns)


def mark(place: int | str) -> str:
    """A text that no content has, for the content of the turn at `place`."""
    return f"{OPEN}{place}{CLOSE}"


def marked(turn: Turn, place: int) -> Turn:
    """The turn with marks in the place of everything that it says: words, thinking, names and arguments of calls."""
    found = dict(turn)
    for key in ("content", *THINKING_KEYS):
        if found.get(key):
            found[key] = mark(f"{place}.{key}")
    if found.get("tool_calls"):
        found["tool_calls"] = [_marked_call(one, f"{place}.{at}") for at, one in enumerate(found["tool_calls"])]
    return found


def _marked_call(call: dict[str, Any], name: str) -> dict[str, Any]:
    arguments: Any = {mark(f"{name}.key"): mark(f"{name}.value")} if call["function"]["arguments"] else {}
    if isinstance(call["function"]["arguments"], str):
        arguments = json.dumps(arguments, ensure_ascii=False)
    return {**call, "function": {"name": mark(f"{name}.name"), "arguments": arguments}}
