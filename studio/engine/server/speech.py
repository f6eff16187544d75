"""Spoken: how one model is spoken to and understood: its tokenizer, its chat template, thinking and calls of tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from studio.data.chat import ChatTokenizer
from studio.data.jinja import REFUSALS, compiled
from studio.data.turns import Manner, manners, mark, marked, schemas, turn_of
from studio.engine.server.errors import Refusal
from studio.engine.server.words import Vocabulary
from studio.errors import InputError
from studio.sample import Message
from studio.workspace import Workspace

_PROBE = Message("assistant", "", ({"name": "look", "arguments": {"at": "it"}},))


@dataclass(frozen=True, slots=True)
class Piece:
    """Something understood of an answer: `thinking`, `words` or a `call` with its name and arguments."""

    kind: str
    text: str
    call: Mapping[str, Any] | None = None


class Listener:
    """Understands one answer while it comes."""

    @classmethod
    def plain(cls) -> Listener:
        """One that takes everything for words."""
        return cls()

    def push(self, text: str) -> list[Piece]:
        """What is certain now."""
        return [Piece("words", text)] if text else []

    def flush(self) -> list[Piece]:
        """What was held back; the answer has ended."""
        return []


@dataclass(frozen=True)
class Talk:
    """A conversation as a request brings it: the turns, the tools, and what the template is told besides."""

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    continues: bool = False
    kwargs: Mapping[str, Any] | None = None


class Spoken:
    """The tokenizer and template of one lane."""

    def __init__(self, chat: ChatTokenizer, template: str) -> None:
        self.chat = chat
        self.template = template
        self.vocabulary = Vocabulary(chat.tokenizer)

    @classmethod
    def load(cls, folder: Path, template: str, default_system: str | None, workspace: Workspace) -> Spoken:
        """The template of this name over the folder's tokenizer; raises what `ChatTokenizer.load` raises."""
        return cls(ChatTokenizer.load(folder, template, default_system, workspace), template)

    def prompt(self, talk: Talk) -> list[int]:
        """The ids of a conversation up to where the answer begins, or goes on.

        Raises Refusal template_refuses with the template's reason, template_no_tools.
        """
        return self.chat.encode_text(self.text(talk))

    @property
    def skips_special(self) -> bool:
        """Whether special tokens are left out of the text that is heard."""
        return True

    def listen(self) -> Listener:
        """A listener to one answer."""
        return Listener()

    def text(self, talk: Talk) -> str:
        """The rendered conversation; see `prompt`."""
        manner = self._manner(talk)
        turns = [turn_of(one, manner) for one in talk.messages]
        if self.chat.default_system and turns[0]["role"] != "system":
            turns.insert(0, {"role": "system", "content": self.chat.default_system})
        tools = schemas(talk.tools)
        try:
            return self._continued(turns, tools, talk) if talk.continues else self._render(turns, tools, True, talk)
        except REFUSALS as error:
            if not self.chat.takes_system and any(turn["role"] == "system" for turn in turns):
                raise Refusal("template_no_system_message", 400, "messages", template=self.template) from error
            raise Refusal("template_refuses", 400, "messages",
                          reason=str(error) or type(error).__name__) from error

    def _continued(self, turns: list[dict[str, Any]], tools: list[dict[str, Any]] | None, talk: Talk) -> str:
        """Everything up to the last character of the last message, whose end the template does not write yet."""
        end = mark("end")
        last = {**turns[-1], "content": (turns[-1].get("content") or "") + end}
        text, found, _ = self._render([*turns[:-1], last], tools, False, talk).rpartition(end)
        if found:
            return text
        return self._render(turns[:-1], tools, True, talk) + (turns[-1].get("content") or "")

    def _render(self, turns: Sequence[Mapping[str, Any]], tools: list[dict[str, Any]] | None, begins: bool,
                talk: Talk) -> str:
        more = {**self.chat.files.special, **(talk.kwargs or {})}
        fixed = {"messages": turns, "tools": tools, "documents": None, "add_generation_prompt": begins}
        return compiled(self.chat.source)(**{**more, **fixed})

    def _manner(self, talk: Talk) -> Manner:
        if not talk.tools and not any(message.tool_calls for message in talk.messages):
            return manners(self.chat.source)[0]
        if self._tool_manner is None:
            raise Refusal("template_without_tools", 400, "tools", template=self.template)
        return self._tool_manner

    @cached_property
    def _tool_manner(self) -> Manner | None:
        """How the template wants calls of tools; None when it leaves them or the tools themselves out."""
        tool = {"name": mark("tool"), "description": "", "parameters": {"type": "object", "properties": {}}}
        for manner in manners(self.chat.source):
            turns = [{"role": "user", "content": "?"}, marked(turn_of(_PROBE, manner), 1),
                     {"role": "tool", "content": mark("result"), "name": "look"},
                     {"role": "assistant", "content": "!"}]
            try:
                text = self._render(turns, schemas([tool]), False, Talk(()))
            except (*REFUSALS, InputError):
                continue
            if all(mark(one) in text for one in ("tool", "1.0.name", "result")):
                return manner
        return None
