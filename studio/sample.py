"""Sample: the one shape that every dataset row becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ROLES = ("system", "user", "assistant", "tool")
KINDS = ("chat", "preference", "rated", "text")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is one of ROLES.

    `tool_calls` are the calls an assistant's turn makes, each {"name": str, "arguments": dict}; `thinking` is what it
    wrote before its words.
    """

    role: str
    content: str
    tool_calls: tuple[Mapping[str, Any], ...] = ()
    thinking: str = ""


@dataclass(frozen=True, slots=True)
class Sample:
    """What one row teaches: a conversation, a preference between two answers, a rated answer or a plain text.

    `messages` is a conversation whose assistant turns are to be learned, in order; the last is an assistant's.
    `rejected` holds the turns that should not have stood in the place of the last ones, `liked` says whether the last
    answer was good, `text` is a plain text, which has no messages. `tools` are the functions that may be called, as
    JSON schemas; `choices` are the answers offered by a question of several.
    """

    messages: tuple[Message, ...]
    rejected: tuple[Message, ...] = ()
    liked: bool | None = None
    text: str = ""
    tools: tuple[Mapping[str, Any], ...] = ()
    choices: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        """One of KINDS: which methods can learn from it."""
        if self.text:
            return "text"
        if self.rejected:
            return "preference"
        return "chat" if self.liked is None else "rated"
