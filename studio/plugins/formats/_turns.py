"""Turns of a conversation as files spell them, their order, and tool calls in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from studio.plugins.formats import Unusable, words
from studio.plugins.formats._cells import parsed
from studio.sample import Message

COLUMNS = ("messages", "conversations", "conversation", "dialogue", "dialog")
ROLE_KEYS = ("role", "from")
CONTENT_KEYS = ("content", "value")
CALL = "call"
ROLES = {"system": "system", "developer": "system", "user": "user", "human": "user",
         "assistant": "assistant", "gpt": "assistant", "bot": "assistant", "model": "assistant",
         "chatgpt": "assistant", "bing": "assistant", "bard": "assistant",
         "tool": "tool", "function": "tool", "observation": "tool", "ipython": "tool", "tool_response": "tool",
         "function_call": CALL, "tool_call": CALL}
TAGS = (("user_tag", "user"), ("assistant_tag", "assistant"), ("system_tag", "system"), ("observation_tag", "tool"),
        ("function_tag", CALL))
THINKING = ("reasoning_content", "reasoning", "thinking")


def turns(tags: Mapping[str, str]) -> Callable[[Any], list[Message]]:
    """The function that makes a list of turns, as a row holds it, into messages; `tags` as the catalogue has them."""
    role_keys = (tags["role_tag"],) if tags.get("role_tag") else ROLE_KEYS
    content_keys = (tags["content_tag"],) if tags.get("content_tag") else CONTENT_KEYS
    roles = {**ROLES, **{tags[tag]: role for tag, role in TAGS if tags.get(tag)}}

    def read(value: Any) -> list[Message]:
        if type(value) is not list:
            value = _unpacked(value)
        found: list[Message] = []
        for item in value:
            if type(item) is not dict:
                raise Unusable("not_an_object")
            name = next((item[key] for key in role_keys if key in item), None)
            role = roles.get(name) if type(name) is str else None
            if role is None:
                found += _both(item)
                continue
            content = next((item[key] for key in content_keys if key in item), None)
            if type(content) is str and len(item) == 2 and role is not CALL:  # a role and its words
                found.append(Message(role, content))
            else:
                _append(found, _rich(role, content, item))
        return found

    return read


def _both(item: Mapping[str, Any]) -> list[Message]:
    """A question and its answer in one turn, as Firefly writes them; Unusable for a turn of nobody known."""
    if "human" not in item or "assistant" not in item:
        raise Unusable("bad_roles")
    return [Message("user", words(item["human"])), Message("assistant", words(item["assistant"]))]


def _unpacked(value: Any) -> list[Any]:
    """A list of turns in a cell of another type: JSON in a string, an array of a parquet file."""
    if isinstance(value, str):
        value = parsed(value, "wrong_type")
    if value is None:
        raise Unusable("no_question")
    if not isinstance(value, list | tuple):
        raise Unusable("wrong_type")
    return list(value)


def _append(found: list[Message], turn: Message) -> None:
    """Add a turn; calls that follow the assistant's own words, or other calls, are part of the same turn."""
    last = found[-1] if found else None
    if turn.tool_calls and last is not None and last.role == "assistant" and not turn.content:
        thinking = "\n".join(one for one in (last.thinking, turn.thinking) if one)
        found[-1] = Message("assistant", last.content, (*last.tool_calls, *turn.tool_calls), thinking)
    else:
        found.append(turn)


def _rich(role: str, content: Any, item: Mapping[str, Any]) -> Message:
    """A turn with more in it than a role and words: parts, tool calls, thinking, a weight."""
    if role == CALL:
        return Message("assistant", "", calls(content))
    thinking = words(next((item[key] for key in THINKING if item.get(key)), None))
    made = calls(item["tool_calls"]) if item.get("tool_calls") else ()
    if isinstance(content, list):
        content, parts_thinking, parts_calls = _parts(content)
        thinking, made = thinking or parts_thinking, made or parts_calls
    if role != "assistant" and (made or thinking):
        raise Unusable("bad_roles")
    if role == "assistant" and item.get("loss_weight", 1) == 0:
        raise Unusable("untrained_turn")
    return Message(role, words(content), made, thinking)


def _parts(parts: Sequence[Any]) -> tuple[str, str, tuple[Mapping[str, Any], ...]]:
    """(words, thinking, calls) of content in parts, as OpenAI and newer LLaMA-Factory files write it."""
    said: list[str] = []
    thinking: list[str] = []
    made: list[Mapping[str, Any]] = []
    for part in parts:
        kind = part.get("type", "text") if isinstance(part, dict) else None
        value = part.get("text", part.get("value")) if isinstance(part, dict) else None
        if kind == "text":
            said.append(words(value))
        elif kind in ("reasoning", "thinking"):
            thinking.append(words(part.get("thinking", part.get("reasoning", value))))
        elif kind == "tool_call":
            made += calls(value)
        else:
            raise Unusable("not_text")
    return "".join(said), "".join(thinking), tuple(made)


def calls(value: Any) -> tuple[Mapping[str, Any], ...]:
    """The calls in a cell: one or several of {"name", "arguments"}, OpenAI's wrapping around it, or its JSON."""
    value = parsed(value, "bad_tool_call") if isinstance(value, str) else value
    found = []
    for one in value if isinstance(value, list | tuple) else [value]:
        one = one.get("function", one) if isinstance(one, dict) else None
        if not isinstance(one, dict) or not isinstance(one.get("name"), str):
            raise Unusable("bad_tool_call")
        given = one.get("arguments", one.get("parameters"))
        given = parsed(given, "bad_tool_call") if isinstance(given, str) else given
        if given is not None and not isinstance(given, dict):
            raise Unusable("bad_tool_call")
        found.append({"name": one["name"], "arguments": given or {}})
    if not found:
        raise Unusable("bad_tool_call")
    return tuple(found)


def in_order(messages: list[Message]) -> tuple[Message, ...]:
    """The turns when they make a conversation that ends with an answer; what follows the last answer is left off.

    After an optional system turn, questions (or what called tools answered) and answers alternate. Raises Unusable.
    """
    first = 1 if messages and messages[0].role == "system" else 0
    if first and not messages[0].content.strip():
        messages, first = messages[1:], 0
    if len(messages) > first and messages[-1].role == "user":
        messages = messages[:-1]
    while len(messages) > first and messages[-1].role == "tool":
        messages = messages[:-1]
    if len(messages) == first:
        raise Unusable("no_question")
    before = ""
    for message in messages[first:] if first else messages:
        role = message.role
        if role == "assistant":
            if before not in ("user", "tool"):
                raise Unusable("bad_roles")
            if not message.tool_calls and not message.content.strip():
                raise Unusable("empty_answer")
            before = "call" if message.tool_calls else role
        elif role == "user":
            if before not in ("", "assistant", "call"):
                raise Unusable("bad_roles")
            if not message.content.strip():
                raise Unusable("no_question")
            before = role
        elif role == "tool" and before in ("call", "assistant", "tool"):
            before = role
        else:
            raise Unusable("bad_roles")
    if before == "user":
        raise Unusable("bad_roles")
    return tuple(messages)


def spelled(message: Message) -> dict[str, Any]:
    """A turn as OpenAI writes it."""
    turn: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.thinking:
        turn["reasoning_content"] = message.thinking
    if message.tool_calls:
        turn["tool_calls"] = [{"type": "function", "function": {
            "name": call["name"], "arguments": json.dumps(call["arguments"], ensure_ascii=False)}}
            for call in message.tool_calls]
    return turn
