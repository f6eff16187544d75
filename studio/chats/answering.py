"""Work: one lane's answer on its way from an engine into a conversation, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from studio.chats import asking, client
from studio.chats.conversation import Conversation
from studio.chats.tree import DONE, FAILED, STOPPED, Answer, Token
from studio.errors import StopAsked, StudioError, WorkError

FLUSH_SECONDS = 1.0


class Work:
    """Asks the engine for one answer and writes it down as it comes; `stop` ends it with what is there.

    With `goes_on` it begins with the words and tokens that it has; `tokens` are those with which a new one begins.
    """

    def __init__(self, conversation: Conversation, engine: Any, answer: Answer, *, goes_on: bool = False,
                 tokens: Sequence[Token] = ()) -> None:
        self.conversation = conversation
        self.engine = engine
        self.answer = answer
        self._begins = list(answer.tokens if goes_on else tokens)
        self._words = answer.content if goes_on else "".join(str(token[0]) for token in tokens)
        self._goes_on = goes_on or bool(tokens)
        # What the stream will say again before it says something new: characters of words and of thinking, tokens.
        self._known = [0, 0, 0]
        self._said_again = 0
        self.stop = threading.Event()
        self._flushed = time.monotonic()
        self._calls: dict[int, dict[str, Any]] = {}
        self._proof: dict[str, Any] = {}
        self._finish = ""

    def run(self) -> None:
        """Answer to the end; whatever goes wrong is written into the answer."""
        began, code = time.monotonic(), ""
        values: dict[str, Any] = {}
        try:
            self._ask()
            state = DONE
        except StopAsked:
            state = STOPPED
        except StudioError as error:
            state, code, values = FAILED, error.code, dict(error.values)
        except Exception as error:  # a thread has nobody who would hear it
            state, code, values = FAILED, "unexpected", {"kind": type(error).__name__, "reason": str(error)[:300]}
        self._proof.setdefault("seconds", round(time.monotonic() - began, 3))
        self._end(state, code, values)

    def _ask(self) -> None:
        address, model = self.engine.road(self.answer.lane)
        with self.conversation.held() as tree:
            message = tree.messages[self.answer.message]
            turns = asking.history(tree, message, self.answer.slot, thinks=address.is_own)
            body = asking.body(turns, model, self.answer.sampling, message.tools, is_own=address.is_own)
            if self._goes_on:
                body |= asking.going_on(self._words, self._begins, turns, is_own=address.is_own)
                if "prefix_ids" in body:
                    self._known = [len(self.answer.content), len(self.answer.thinking), self.answer.token_count]
                elif not self.answer.content:
                    self.conversation.grow(self.answer.id, self._words, "", self._begins)
        try:
            client.stream(address, body, self._hear, self.stop.is_set)
        except WorkError as error:
            if error.code != "engine_refused" or "logprobs" not in str(error.values) or self.answer.token_count:
                raise
            for name in ("logprobs", "top_logprobs"):  # a server that has no token lens can answer all the same
                body.pop(name)
            client.stream(address, body, self._hear, self.stop.is_set)

    def _hear(self, chunk: Mapping[str, Any]) -> None:
        """Take in one object of the stream."""
        proof, usage = chunk.get("studio"), chunk.get("usage")
        self._proof |= proof if isinstance(proof, dict) else {}
        if isinstance(usage, dict):
            self._proof.setdefault("tokens", usage.get("completion_tokens"))
            self._proof.setdefault("prompt_tokens", usage.get("prompt_tokens"))
        for choice in chunk.get("choices") or ():
            if choice.get("index"):
                continue
            delta = choice.get("delta") or {}
            for part in delta.get("tool_calls") or ():
                self._call(part)
            self._finish = choice.get("finish_reason") or self._finish
            tokens = self._new_tokens(tokens_of(choice.get("logprobs")))
            text = self._new(0, delta.get("content") or "")
            thinking = self._new(1, delta.get("reasoning_content") or delta.get("reasoning") or "")
            if text or thinking or tokens:
                self.conversation.grow(self.answer.id, text, thinking, tokens)
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self._flushed = time.monotonic()
            self.conversation.flush()

    def _new(self, place: int, text: str) -> str:
        """What of a piece was not known before."""
        known = min(self._known[place], len(text))
        self._known[place] -= known
        return text[known:]

    def _new_tokens(self, tokens: list[Token]) -> list[Token]:
        """The tokens that were not known before; those that are only said again keep the chances that they had."""
        found = []
        for token in tokens:
            place, self._said_again = self._said_again, self._said_again + 1
            if place >= self._known[2]:
                found.append(self._begins[place] if place < len(self._begins) and token[2] is None else token)
        return found

    def _call(self, part: Mapping[str, Any]) -> None:
        """Put together a tool call, whose arguments come in pieces."""
        call = self._calls.setdefault(int(part.get("index") or 0), {"id": "", "type": "function",
                                                                    "function": {"name": "", "arguments": ""}})
        call["id"] = part.get("id") or call["id"]
        said = part.get("function") or {}
        call["function"]["name"] += said.get("name") or ""
        call["function"]["arguments"] += said.get("arguments") or ""

    def _end(self, state: str, code: str, values: dict[str, Any]) -> None:
        calls = [self._calls[place] for place in sorted(self._calls)]
        for number, call in enumerate(calls):
            call["id"] = call["id"] or f"call_{self.answer.id}_{number}"
        try:
            self.conversation.end(self.answer.id, state, code=code, values=values, proof=self._proof,
                                  tool_calls=calls, finish=self._finish)
        except StudioError:  # the conversation was removed, or the disk is full: the answer stays in sight
            self.conversation.forget(self.answer.id)


def tokens_of(logprobs: Any) -> list[Token]:
    """The tokens of a piece of an answer, as `Token` has them; the id is -1 where a server says none."""
    if not isinstance(logprobs, dict):
        return []
    return [[*_choice(one), [_choice(other) for other in one.get("top_logprobs") or ()]]
            for one in logprobs.get("content") or ()]


def _choice(said: Mapping[str, Any]) -> Token:
    logprob = said.get("logprob")
    return [said.get("token") or "", said.get("id", -1), None if logprob is None else round(logprob, 4)]
