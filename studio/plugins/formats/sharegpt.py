"""Whole conversations: ShareGPT's from/value, OpenAI's role/content, and lists of human/assistant pairs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.plugins.formats import Unusable, words
from studio.sample import Message, Sample

ORDER = 10
COLUMNS = ("messages", "conversations", "conversation")
ROLE_KEYS = ("role", "from")
CONTENT_KEYS = ("content", "value")
ROLES = {"system": "system", "user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant",
         "bot": "assistant", "model": "assistant", "chatgpt": "assistant"}
TOOL_ROLES = frozenset({"tool", "function", "function_call", "observation", "ipython", "tool_call", "tool_response"})
Row = Mapping[str, Any]


def recognises(row: Row) -> bool:
    """Whether the row has a list of turns."""
    return any(isinstance(row.get(column), list) for column in COLUMNS)


def reader(columns: Mapping[str, str], tags: Mapping[str, str]) -> Callable[[Row], Sample]:
    """The reading function; `columns` may name messages and system, `tags` the keys and role words of a turn."""
    role_keys = (tags["role_tag"],) if tags.get("role_tag") else ROLE_KEYS
    content_keys = (tags["content_tag"],) if tags.get("content_tag") else CONTENT_KEYS
    roles = dict(ROLES)
    tool_roles = set(TOOL_ROLES)
    for tag, role in (("user_tag", "user"), ("assistant_tag", "assistant"), ("system_tag", "system")):
        if tags.get(tag):
            roles[tags[tag]] = role
    tool_roles |= {tags[tag] for tag in ("observation_tag", "function_tag") if tags.get(tag)}

    def turn(item: Any) -> list[Message]:
        if type(item) is not dict:
            raise Unusable("not_an_object")
        if "human" in item and "assistant" in item:
            return [Message("user", _text(item["human"])), Message("assistant", _text(item["assistant"]))]
        name = next((item[key] for key in role_keys if key in item), None)
        if name in tool_roles or item.get("tool_calls"):
            raise Unusable("tools")
        if not isinstance(name, str) or name not in roles:
            raise Unusable("bad_roles")
        return [Message(roles[name], _text(next((item[key] for key in content_keys if key in item), None)))]

    def read(row: Row) -> Sample:
        if type(row) is not dict:
            raise Unusable("not_an_object")
        column = columns.get("messages") or next((name for name in COLUMNS if name in row), "conversations")
        turns = row.get(column)
        if not isinstance(turns, list):
            raise Unusable("wrong_type" if turns is not None else "no_question")
        messages = [message for item in turns for message in turn(item)]
        system = words(row.get(columns.get("system", "system")))
        if system.strip() and not (messages and messages[0].role == "system"):
            messages.insert(0, Message("system", system))
        return Sample(_in_order(messages))

    return read


def _text(content: Any) -> str:
    """A turn's words: a string, or a list of text parts as OpenAI and newer LLaMA-Factory files write it."""
    if not isinstance(content, list):
        return words(content)
    if not all(isinstance(part, dict) and part.get("type") == "text" for part in content):
        raise Unusable("not_text")
    return "".join(words(part.get("text", part.get("value"))) for part in content)


def _in_order(messages: list[Message]) -> tuple[Message, ...]:
    """The turns when user and assistant alternate after an optional system; a last unanswered question is left off."""
    first = 1 if messages and messages[0].role == "system" else 0
    if first and not messages[0].content.strip():
        messages, first = messages[1:], 0
    if len(messages) > first and messages[-1].role == "user":
        messages = messages[:-1]
    if len(messages) == first:
        raise Unusable("no_question")
    for place, message in enumerate(messages[first:]):
        if message.role != ("user", "assistant")[place % 2]:
            raise Unusable("bad_roles")
        if not message.content.strip():
            raise Unusable("empty_answer" if place % 2 else "no_question")
    return tuple(messages)
