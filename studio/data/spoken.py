"""What a model says is taken apart again: its thinking, its words, its calls of tools, as its own template spells them.

A `Speech` is learned from the template once; a `Listener` hears one answer, in pieces or whole. What begins like a call
and is none comes back as words; nothing that was said is lost but the template's own signs and the white space that it
writes around thinking and calls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.data.calls import Calls, Waiting, after
from studio.data.chat import ChatTokenizer
from studio.data.jinja import REFUSALS
from studio.data.probes import begun_alike, learned
from studio.data.turns import CLOSE, mark, turn_of
from studio.sample import Message

_LONG = 400
THINKING, WORDS, CALL = "thinking", "words", "call"
_USER = Message("user", "?")
_TOOL = {"name": "look", "description": "", "parameters": {"type": "object", "properties": {}}}


@dataclass(frozen=True, slots=True)
class Piece:
    """Part of an answer: `kind` is thinking, words or call; a call is {"name": str, "arguments": dict}."""

    kind: str
    text: str = ""
    call: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Speech:
    """How one template spells thinking and calls; `signs` are the special tokens that no words contain."""

    opened: str = "<think>"
    closed: str = "</think>"
    lead: str = ""
    trail: str = ""
    calls: Calls | None = None
    signs: re.Pattern[str] = field(default_factory=lambda: re.compile("(?!)"))
    needs_special: bool = False

    @classmethod
    def of(cls, chat: ChatTokenizer) -> Speech:
        """What the template of this tokenizer shows when it is rendered with marks."""
        opened, closed = _thinking(chat)
        lead, trail = _around(chat, opened, closed)
        closed = closed[:len(closed) - _held(closed, lead.strip())].rstrip()
        calls = learned(lambda message: _said(chat, message, True)) if chat.takes_tools else None
        ours = [opened, closed, *(calls.literals if calls else ())]
        special = [one.content for one in chat.tokenizer.get_added_tokens_decoder().values() if one.special]
        strange = [one for one in special if not any(one in text for text in ours)]
        signs = re.compile("|".join(map(re.escape, sorted(strange, key=len, reverse=True))) or "(?!)")
        return cls(opened, closed, lead, trail, calls, signs, len(strange) < len(special))

    def is_thinking(self, prompt: str) -> bool:
        """Whether a rendered prompt ends within the thinking part."""
        return prompt.rstrip().endswith(self.opened)

    def listen(self, prompt: str = "", tools: Sequence[Mapping[str, Any]] = (), begun: str = "") -> Listener:
        """A listener for one answer to a rendered prompt; some end within the thinking part.

        `begun` is what stands of the answer at the end of the prompt already, where it is to be continued. Calls that
        have no opening of their own are heard only where their tool was offered.
        """
        thinks = self.is_thinking(prompt) or begun.rfind(self.opened) > begun.rfind(self.closed)
        return Listener(self, thinks, tools, goes_on=bool(begun))

    def heard(self, text: str, prompt: str = "", tools: Sequence[Mapping[str, Any]] = ()) -> Message:
        """A whole answer as a message."""
        listener = self.listen(prompt, tools)
        pieces = [*listener.push(text), *listener.flush()]
        words, thinking = ("".join(one.text for one in pieces if one.kind == kind) for kind in (WORDS, THINKING))
        calls = tuple(one.call for one in pieces if one.call is not None)
        return Message("assistant", words, calls, thinking)


class Listener:
    """One answer being heard; `push` gives what is certain, `flush` the rest."""

    def __init__(self, speech: Speech, thinks: bool, tools: Sequence[Mapping[str, Any]],
                 goes_on: bool = False) -> None:
        self._speech = speech
        self._tools = {str(one.get("name")): one for one in (tool.get("function", tool) for tool in tools)}
        self._text = ""
        self._state = self._thinking if thinks else self._words if goes_on else self._start
        self._strips = thinks and not goes_on  # white space in front of what comes next is the template's
        self._said = goes_on
        self._waits = False  # for the end of a call
        self._ended = False

    def push(self, text: str) -> list[Piece]:
        """The pieces that are certain with this text."""
        text = self._speech.signs.sub("", text)
        self._text += text
        if self._waits and len(self._text) > _LONG and not any(sign in text for sign in "}])>"):
            return []  # a long call is not read again for every token of it
        return self._heard()

    def flush(self) -> list[Piece]:
        """What was held back; the answer has ended."""
        self._ended = True
        pieces = self._heard()
        if self._text:
            pieces.append(Piece(THINKING if self._state == self._thinking else WORDS, self._text))
            self._text = ""
        return pieces

    def _heard(self) -> list[Piece]:
        pieces: list[Piece] = []
        try:
            while self._text:
                pieces += self._state()
        except Waiting:
            pass
        pieces = [one for one in pieces if one.text or one.call is not None]
        self._said = self._said or any(one.kind == WORDS for one in pieces)
        return pieces

    # ---- states: each takes something from the text and gives pieces, or raises Waiting ----

    def _start(self) -> list[Piece]:
        """Before the first word: thinking, a call without an opening, or words."""
        begun = self._text.lstrip()
        if self._may_be(begun, self._speech.opened):
            self._text = begun[len(self._speech.opened):]
            self._strips, self._state = True, self._thinking
            return []
        calls = self._speech.calls
        if calls is not None and not calls.trigger and self._looks_like_call(begun):
            found = self._call_at(len(self._text) - len(begun))
            if found is not None:
                return found
        lead = self._speech.lead.strip() or self._speech.lead
        text = begun if lead.strip() else self._text
        if self._may_be(text, lead):
            self._text = text[len(lead):]
        self._state = self._words
        return []

    def _may_be(self, text: str, literal: str) -> bool:
        """Whether a text begins with a literal; raises Waiting when it may yet."""
        if text.startswith(literal):
            return True
        if literal.startswith(text) and not self._ended:
            raise Waiting
        return False

    def _looks_like_call(self, begun: str) -> bool:
        if not self._tools:
            return False
        assert self._speech.calls is not None
        if self._speech.calls.kind == "object":
            return begun.startswith(("{", "["))
        return any(begun.startswith(name) or (name.startswith(begun) and not self._ended) for name in self._tools)

    def _thinking(self) -> list[Piece]:
        """Inside the thinking part, up to its end."""
        if self._strips:
            self._text = self._text.lstrip()
            self._strips = not self._text
        before, found, rest = self._text.partition(self._speech.closed)
        if found:
            self._text, self._strips, self._state = rest, True, self._behind
            return [Piece(THINKING, before.rstrip())]
        return self._shown(THINKING, _held(self._text, self._speech.closed))

    def _behind(self) -> list[Piece]:
        """Behind thinking or a call: white space is the template's."""
        self._text = self._text.lstrip()
        if not self._text:
            raise Waiting
        self._state = self._start
        return []

    def _words(self) -> list[Piece]:
        """Words, up to where a call opens."""
        calls = self._speech.calls
        if calls is None:
            return self._shown(WORDS, 0, hold_space=False)
        opener = self._opener
        place = self._text.find(opener) if opener else -1
        if place < 0:
            return self._shown(WORDS, _held(self._text, opener)) if opener \
                else self._shown(WORDS, 0, hold_space=False)
        words = self._text[:place]
        if words:
            self._text = self._text[place:]
            return [Piece(WORDS, words.removesuffix(calls.space))] if words.strip() or self._said else []
        found = self._call_at(0 if self._at_body else len(opener))
        if found is not None:
            return found
        self._text = self._text[len(opener):]
        return [Piece(WORDS, opener)]

    @property
    def _opener(self) -> str:
        """What opens a call behind words."""
        calls = self._speech.calls
        assert calls is not None
        if calls.trigger or calls.inner:
            return calls.trigger or calls.inner
        return '{"' + calls.keys[0] + '"' if self._at_body and self._tools else ""

    @property
    def _at_body(self) -> bool:
        """Whether behind words a call begins with its body."""
        calls = self._speech.calls
        return calls is not None and not calls.trigger and not calls.inner and calls.kind == "object"

    def _call_at(self, place: int) -> list[Piece] | None:
        """The calls whose body begins at a place of the text, which is taken; None when there are none."""
        calls = self._speech.calls
        assert calls is not None
        try:
            found = calls.read(self._text, place, self._tools)
        except Waiting:
            if self._ended:
                return None
            self._waits = True
            raise
        self._waits = False
        if found is None or (not calls.trigger and any(one["name"] not in self._tools for one in found[0])):
            return None
        self._text, self._state = self._text[found[1]:], self._ending
        return [Piece(CALL, call=one) for one in found[0]]

    def _ending(self) -> list[Piece]:
        """Behind the body of a call: its end, and the way to the next one."""
        calls = self._speech.calls
        assert calls is not None
        place = self._passed(0, calls.ending)
        if place is not None and calls.again and not calls.trigger.startswith(calls.again.strip() or "\0"):
            following = self._passed(place, calls.again)
            found = None if following is None else self._call_at(following)
            if found is not None:
                return found
        if place is not None:
            place = self._passed(place, calls.closing) or place
        self._text = self._text[place or 0:]
        self._state = self._behind
        return []

    def _passed(self, place: int, literal: str) -> int | None:
        try:
            return after(self._text, place, literal)
        except Waiting:
            if self._ended:
                return None
            raise

    def _shown(self, kind: str, held: int, hold_space: bool = True) -> list[Piece]:
        """The text but for what is held back at its end; raises Waiting when that is all of it."""
        end = len(self._text) - held
        if self._ended:
            shown, self._text = self._text, ""
            return [Piece(kind, shown.removesuffix(self._speech.trail) if kind == WORDS else shown.rstrip())]
        if hold_space or self._speech.trail:
            end = len(self._text[:end].rstrip())
        if not end:
            raise Waiting
        shown, self._text = self._text[:end], self._text[end:]
        return [Piece(kind, shown)]


def _held(text: str, sign: str) -> int:
    """How many characters at the end of a text may be the beginning of a sign."""
    return next((count for count in range(min(len(sign) - 1, len(text)), 0, -1) if text.endswith(sign[:count])), 0)


# ---- learning ----

def _rendered(chat: ChatTokenizer, messages: Sequence[Message], with_tools: bool, begins: bool = False) -> str | None:
    manner = (chat.tool_manner if with_tools else None) or chat.manner
    try:
        return chat.render([turn_of(one, manner) for one in messages], begins,
                             [_TOOL] if with_tools else ())
    except REFUSALS:
        return None


def _said(chat: ChatTokenizer, message: Message, with_tools: bool = False) -> str | None:
    """What the model has to say for a message: from where its prompt ends to the end of its turn."""
    prompt = _rendered(chat, [_USER], with_tools, begins=True)
    text = _rendered(chat, [_USER, message], with_tools)
    if prompt is None or text is None:
        return None
    rest = text[len(begun_alike(prompt, text)):]
    ends = (rest.find(chat.tokenizer.id_to_token(one), rest.rfind(CLOSE) + 1) for one in chat.eos_ids)
    return _without_thought(rest[:min((one for one in ends if one >= 0), default=len(rest))])


def _without_thought(text: str) -> str:
    """A rendered answer without the empty thinking part in front of it."""
    _, found, rest = text.partition("</think>")
    return rest.lstrip() if found and not re.sub(r"\s|<think>", "", text[:text.index("</think>")]) else text


def _thinking(chat: ChatTokenizer) -> tuple[str, str]:
    """What opens and what closes the thinking part; `<think>` where the template shows none."""
    usual = ("<think>", "</think>")
    text = _rendered(chat, [_USER, Message("assistant", mark("c"), (), mark("t"))], False)
    plain = _rendered(chat, [_USER], False)
    if not text or not plain or mark("t") not in text or mark("c") not in text or usual[0] in text:
        return usual
    before, _, rest = text.partition(mark("t"))
    closed = rest.partition(mark("c"))[0].strip()
    call = Message("assistant", "", ({"name": mark("c"), "arguments": {}},), mark("t"))
    calling = _rendered(chat, [_USER, call], True) or ""
    if mark("t") in calling:  # the way to words and the way to a call may part behind the end of thinking
        closed = begun_alike(closed, calling.partition(mark("t"))[2].lstrip()).strip() or closed
    begun = _rendered(chat, [_USER], False, begins=True) or plain
    opened = before[len(begun_alike(begun, before)):].strip()
    return (opened, closed) if opened and closed else usual


def _around(chat: ChatTokenizer, opened: str, closed: str) -> tuple[str, str]:
    """What the template writes between its prompt and the words, and the white space between the words and their end.
    """
    said = _said(chat, Message("assistant", mark("c"))) or ""
    text = _rendered(chat, [_USER, Message("assistant", mark("c"))], False) or ""
    lead = said.partition(mark("c"))[0] if mark("c") in said else ""
    rest = text.rpartition(mark("c"))[2]
    trail = rest[:len(rest) - len(rest.lstrip())] if rest.strip() else ""
    return ("" if opened in lead or closed in lead else lead), trail
