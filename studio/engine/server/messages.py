"""The messages and tools of a chat request, read into the studio's own Message."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from studio.engine.server.errors import Refusal
from studio.engine.server.protocol import wanted
from studio.engine.server.speech import Talk
from studio.sample import Message

ROLES = ("system", "developer", "user", "assistant", "tool")
_NAME = re.compile(r"[\w.-]{1,128}")
_THINKING = ("reasoning_content", "reasoning", "thinking")


@dataclass(frozen=True)
class _Choice:
    """Which tools may or must be called: `must` with a `name` where one is named."""

    must: bool = False
    name: str = ""


def talk(said: Mapping[str, Any]) -> Talk:
    """The conversation of a request and what it wants of tools; raises Refusal with the place of what is wrong."""
    given = said.get("messages")
    if given is None:
        raise Refusal("body_needs", 400, "messages", name="messages")
    if not isinstance(given, list) or not given:
        raise Refusal("messages_empty", 400, "messages")
    found = [_message(one, f"messages[{place}]") for place, one in enumerate(given)]
    continues = wanted(said, "continue_final_message", bool, False)
    if continues and (found[-1].role != "assistant" or found[-1].tool_calls):
        raise Refusal("continue_what", 400, "continue_final_message")
    tools = _tools(said)
    choice = _choice(said, tools)
    if said.get("tool_choice") == "none":
        tools = ()
    elif choice.name:
        tools = tuple(one for one in tools if one["function"]["name"] == choice.name)
    return Talk(tuple(found), tools, continues, choice.must, wanted(said, "chat_template_kwargs", dict, None))


def _message(said: Any, place: str) -> Message:
    if not isinstance(said, Mapping):
        raise Refusal("message_type", 400, place, place=place)
    role = said.get("role")
    if role not in ROLES:
        raise Refusal("message_role", 400, f"{place}.role", value=role, known=ROLES, place=place)
    words = _content(said.get("content"), f"{place}.content")
    calls = _calls(said, place) if role == "assistant" else ()
    if said.get("content") is None and not calls and role != "assistant":
        raise Refusal("body_needs", 400, f"{place}.content", name=f"{place}.content")
    thinking = next((said[key] for key in _THINKING if isinstance(said.get(key), str)), "")
    role = "system" if role == "developer" else str(role)
    return Message(role, words, calls, thinking if role == "assistant" else "")


def _content(value: Any, place: str) -> str:
    """Words, or parts that are all words; raises Refusal message_part for pictures and sounds."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise Refusal("message_content", 400, place, place=place)
    texts = []
    for number, part in enumerate(value):
        if isinstance(part, str):
            texts.append(part)
        elif isinstance(part, Mapping) and part.get("type") in ("text", "input_text", "refusal"):
            text = part.get("text", part.get("refusal"))
            if not isinstance(text, str):
                raise Refusal("message_content", 400, f"{place}[{number}]", place=f"{place}[{number}]")
            texts.append(text)
        else:
            kind = part.get("type") if isinstance(part, Mapping) else type(part).__name__
            raise Refusal("message_part", 400, f"{place}[{number}]", kind=kind)
    return "".join(texts)


def _calls(said: Mapping[str, Any], place: str) -> tuple[Mapping[str, Any], ...]:
    given = said.get("tool_calls")
    if given is None:
        return ()
    if not isinstance(given, list):
        raise Refusal("message_call", 400, f"{place}.tool_calls", place=f"{place}.tool_calls")
    return tuple(_call(one, f"{place}.tool_calls[{number}]") for number, one in enumerate(given))


def _call(said: Any, place: str) -> Mapping[str, Any]:
    function = said.get("function") if isinstance(said, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    if not isinstance(name, str) or not isinstance(function, Mapping):
        raise Refusal("message_call", 400, place, place=place)
    arguments = function.get("arguments")
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError as error:
            raise Refusal("message_call", 400, f"{place}.function.arguments", place=place) from error
    if not isinstance(arguments, dict | None):
        raise Refusal("message_call", 400, f"{place}.function.arguments", place=place)
    return {"name": name, "arguments": arguments or {}}


def _tools(said: Mapping[str, Any]) -> tuple[dict[str, Any], ...]:
    given = said.get("tools")
    if given is None and said.get("functions") is not None:
        given = [{"type": "function", "function": one} for one in wanted(said, "functions", list, [])]
    if given is None:
        return ()
    if not isinstance(given, list):
        raise Refusal("body_type", 400, "tools", name="tools", value=type(given).__name__, kind="list")
    return tuple(_tool(one, f"tools[{number}]") for number, one in enumerate(given))


def _tool(said: Any, place: str) -> dict[str, Any]:
    is_one = isinstance(said, Mapping) and said.get("type", "function") == "function"
    function = said.get("function") if is_one else None
    if not isinstance(function, Mapping) or not isinstance(function.get("name"), str) \
            or not _NAME.fullmatch(function["name"]):
        raise Refusal("tool_shape", 400, place, place=place)
    parameters = function.get("parameters")
    if not isinstance(parameters, dict | None):
        raise Refusal("tool_shape", 400, f"{place}.function.parameters", place=place)
    kept = {key: value for key, value in function.items() if key in ("name", "description", "parameters")}
    kept.setdefault("description", "")
    kept["parameters"] = parameters or {"type": "object", "properties": {}}
    return {"type": "function", "function": kept}


def _choice(said: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]) -> _Choice:
    value = said.get("tool_choice", said.get("function_call"))
    if value in (None, "auto", "none"):
        return _Choice()
    if not tools:
        raise Refusal("tool_choice_empty", 400, "tool_choice")
    if value == "required":
        return _Choice(True)
    function = value.get("function", value) if isinstance(value, Mapping) else None
    name = function.get("name") if isinstance(function, Mapping) else None
    known = [one["function"]["name"] for one in tools]
    if name not in known:
        raise Refusal("tool_choice_unknown", 400, "tool_choice", value=value if name is None else name, known=known)
    return _Choice(True, str(name))
