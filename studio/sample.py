"""Sample: the one shape that every dataset row becomes."""

from __future__ import annotations

from dataclasses import dataclass

ROLES = ("system", "user", "assistant", "tool")


@dataclass(frozen=True, slots=True)
class Message:
    """One turn of a conversation; `role` is one of ROLES."""

    role: str
    content: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A conversation whose assistant turns are to be learned, in order; the last message is an assistant's."""

    messages: tuple[Message, ...]
