"""Spoken: how one model is spoken to and understood: its tokenizer, its chat template, thinking and calls of tools."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from studio.data.chat import ChatTokenizer
from studio.data.jinja import REFUSALS, compiled
from studio.data.spoken import WORDS, Listener, Piece, Speech
from studio.data.turns import Manner, manners, mark, marked, schemas, turn_of
from studio.engine.server.errors import Refusal
from studio.engine.server.words import Vocabulary
from studio.sample import Message
from studio.workspace import Workspace

_PROBE = Message("assistant", "", ({"name": "look", "arguments": {"at": "it"}},))


@dataclass(frozen=True)
class Talk:
    """A conversation as a request brings it: the turns, the tools, and what the template is told besides.

    `must_call` asks for a call of one of the tools.
    """

    messages: tuple[Message, ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    continues: bool = False
    must_call: bool = False
    kwargs: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Forced:
    """An answer that has to be a call: what it begins with, what may follow, what ends it."""

    opening: str
    grammar: Mapping[str, Any] | None
    ending: str


@dataclass(frozen=True)
class Prompt:
    """What the model reads, as text and ids."""

    text: str
    ids: list[int]
    tools: Sequence[Mapping[str, Any]] = ()
    forced: Forced | None = None


@dataclass
class Plain:
    """Hears everything as words."""

    def push(self, text: str) -> list[Piece]:
        """The text."""
        return [Piece(WORDS, text)]

    def flush(self) -> list[Piece]:
        """Nothing: nothing was held back."""
        return []


@dataclass
class Calling:
    """Hears an answer that was begun for the model and whose end it could not say."""

    listener: Listener
    forced: Forced
    heard: str = ""

    def push(self, text: str) -> list[Piece]:
        """What is certain now."""
        opening = "" if self.heard else self.forced.opening
        self.heard += opening + text
        return self.listener.push(opening + text)

    def flush(self) -> list[Piece]:
        """The call, ended as the template ends it where the grammar did not let the model do so."""
        ending = self.forced.ending if self.forced.grammar else ""
        is_ended = self.heard.rstrip().endswith(ending.strip())
        return [*self.push("" if is_ended else ending), *self.listener.flush()]


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

    # ---- understanding ----

    @cached_property
    def speech(self) -> Speech:
        """How the template spells thinking and calls."""
        return Speech.of(self.chat)

    @property
    def skips_special(self) -> bool:
        """Whether special tokens can be left out of the text that is heard."""
        return not self.speech.needs_special

    def listen(self, prompt: Prompt) -> Listener | Calling:
        """A listener to one answer."""
        forced = prompt.forced
        listener = self.speech.listen(prompt.text.removesuffix(forced.opening) if forced else prompt.text,
                                      prompt.tools)
        return Calling(listener, forced) if forced else listener

    # ---- speaking ----

    def prompt(self, talk: Talk) -> Prompt:
        """A conversation up to where the answer begins, or goes on.

        Raises Refusal template_refuses with the template's reason, template_no_system_message, template_without_tools.
        """
        forced = self._forced(talk.tools) if talk.must_call else None
        text = self._text(talk) + (forced.opening if forced else "")
        return Prompt(text, self.chat.encode_text(text), talk.tools, forced)

    def _text(self, talk: Talk) -> str:
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
            except REFUSALS:
                continue
            if all(mark(one) in text for one in ("tool", "1.0.name", "result")):
                return manner
        return None

    def _forced(self, tools: Sequence[Mapping[str, Any]]) -> Forced:
        """How a call of one of the tools is begun, so that the model cannot but make it."""
        calls = self.speech.calls
        if calls is None:
            raise Refusal("template_without_tools", 400, "tool_choice", template=self.template)
        functions = [one["function"] for one in tools]
        ending = calls.ending + calls.closing
        if calls.kind == "object":
            bodies = [_body(one, calls.keys) for one in functions]
            schema = bodies[0] if len(bodies) == 1 else {"anyOf": bodies}
            return Forced(calls.opening, {"type": "schema", "schema": schema}, ending)
        if calls.kind == "named" and len(functions) == 1:
            schema = functions[0]["parameters"]
            return Forced(f"{calls.opening}{functions[0]['name']}{calls.first}",
                          {"type": "schema", "schema": schema}, ending)
        name = functions[0]["name"] if len(functions) == 1 else ""
        return Forced(calls.opening + name, None, ending)


def _body(function: Mapping[str, Any], keys: tuple[str, str]) -> dict[str, Any]:
    """The schema of a call written as an object."""
    return {"type": "object", "required": list(keys), "additionalProperties": False,
            "properties": {keys[0]: {"const": function["name"]}, keys[1]: function["parameters"]}}
