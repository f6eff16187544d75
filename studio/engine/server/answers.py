"""Telling: what a worker says about one request becomes choices: words, thinking, calls, log probabilities, an end."""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.data.spoken import CALL, THINKING, Listener, Piece
from studio.engine.server.errors import Refusal
from studio.engine.server.metrics import Metrics
from studio.engine.server.protocol import Ask
from studio.engine.server.registry import Registry, Served
from studio.engine.server.speech import Calling, Plain, Prompt
from studio.engine.server.workers import failure
from studio.errors import StudioError

_REASONS = {"stop_text": "stop", "cancelled": "stop"}
Entry = list[Any]


@dataclass
class Choice:
    """One of the answers to a request, as far as it has been heard."""

    index: int
    listener: Listener | Calling | Plain
    content: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    calls: list[dict[str, Any]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    done: Mapping[str, Any] | None = None
    tokens: int = 0

    @property
    def reason(self) -> str:
        """Why it ended, in OpenAI's words."""
        said = str(self.done["reason"]) if self.done else "stop"
        return "tool_calls" if self.calls and said != "length" else _REASONS.get(said, said)

    def keep(self, pieces: Iterable[Piece]) -> None:
        """Add what was understood to the whole."""
        for piece in pieces:
            if piece.kind == CALL and piece.call is not None:
                self.calls.append(called(piece.call))
            elif piece.kind == THINKING:
                self.thinking.append(piece.text)
            else:
                self.content.append(piece.text)


@dataclass(frozen=True)
class Said:
    """What is new of one choice: pieces understood, tokens heard, and whether it has ended."""

    choice: Choice
    pieces: list[Piece]
    entries: list[Entry]
    ended: bool = False


@dataclass
class Telling:
    """One request in a worker, until its end or until nobody listens; `message` is what the worker is asked.

    Without the prompt `heard` of a conversation everything that is said is words.
    """

    registry: Registry
    served: Served
    metrics: Metrics
    ask: Ask
    message: Mapping[str, Any]
    heard: Prompt | None = None
    choices: dict[int, Choice] = field(default_factory=dict)
    prompt: list[Any] = field(default_factory=list)

    async def parts(self) -> AsyncGenerator[list[Said]]:
        """What is new, as it comes; raises what the worker says against the request.

        Closing the iterator cancels what is not done.
        """
        with self.registry.answering(self.served, self.ask.rows):
            answer = self.served.worker.ask(self.message, self.ask.n)
            try:
                while sum(one.done is not None for one in self.choices.values()) < self.ask.n:
                    said = self._heard(await answer.take())
                    if said:
                        yield said
            finally:
                self.metrics.left(answer.left, sum(one.tokens for one in self.choices.values() if one.done is None))
                self.served.worker.leave(answer)

    async def whole(self) -> list[Choice]:
        """All choices, once they have ended."""
        async with contextlib.aclosing(self.parts()) as parts:
            async for part in parts:
                for said in part:
                    said.choice.keep(said.pieces)
                    said.choice.entries.extend(said.entries)
        return sorted(self.choices.values(), key=lambda one: one.index)

    def _heard(self, events: list[Any]) -> list[Said]:
        found: list[Said] = []
        for event in events:
            if isinstance(event, list):
                choice = self._choice(event[1])
                choice.tokens += 1
                pieces = choice.listener.push(event[3]) if event[3] else []
                if pieces or self.ask.logprobs is not None:
                    found.append(Said(choice, pieces, [event]))
            elif "done" in event:
                choice = self._choice(event["done"].get("choice", 0))
                choice.done = event["done"]
                self.metrics.ended(event["done"])
                found.append(Said(choice, choice.listener.flush(), [], True))
            elif "prompt" in event:
                self.prompt = event["prompt"]["logprobs"]
            else:
                raise self._against(event["error"])
        return found

    def _choice(self, index: int) -> Choice:
        if index not in self.choices:
            self.choices[index] = Choice(index, self.served.spoken.listen(self.heard) if self.heard else Plain())
        return self.choices[index]

    def _against(self, said: Mapping[str, Any]) -> StudioError:
        """The error that the worker tells of; a server that closes ends its workers itself."""
        if said.get("code") == "engine_ended" and self.registry.closing:
            return Refusal("server_closing", 503, retry_seconds=5)
        return failure(said)

    # ---- what is said besides ----

    def usage(self) -> dict[str, Any]:
        """Tokens in OpenAI's form."""
        ends = [one.done for one in self.choices.values() if one.done]
        prompt = max((int(done["prompt_tokens"]) for done in ends), default=len(self.message["ids"]))
        said = sum(int(done["tokens"]) for done in ends)
        return {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said,
                "prompt_tokens_details": {"cached_tokens": max((int(d.get("reused_tokens") or 0) for d in ends),
                                                               default=0)}}

    def proof(self) -> dict[str, Any]:
        """Which weights answered, from where to where, and what it took."""
        served, facts = self.served, self.served.worker.facts
        lane, adapter = served.lane, served.adapter
        ends = [one.done for one in self.choices.values() if one.done]
        firsts = [d["first_token_seconds"] for d in ends if d.get("first_token_seconds") is not None]
        return {"lane": served.name, "base": lane.base_name, "base_hash": facts.get("base_hash"),
                "adapter_hash": adapter.facts.get("hash"), "run": lane.run, "step": lane.step, "chosen": lane.chosen,
                "quantization": facts.get("quantization"), "dtype": facts.get("dtype"),
                "device": facts.get("device"), "template": served.spoken.template,
                "seed": self.message["sampling"].get("seed"),
                "prompt_tokens": max((d["prompt_tokens"] for d in ends), default=len(self.message["ids"])),
                "reused_tokens": max((d.get("reused_tokens") or 0 for d in ends), default=0),
                "tokens": sum(d["tokens"] for d in ends), "seconds": max((d["seconds"] for d in ends), default=0.0),
                "first_token_seconds": min(firsts, default=None), "changed_on_disk": adapter.replaced,
                "changes_logits": adapter.facts.get("changes_logits"), "same_as": adapter.facts.get("same_as"),
                "one_batch": facts.get("one_batch")}


def called(call: Mapping[str, Any]) -> dict[str, Any]:
    """A call in OpenAI's form, whose arguments are a JSON text."""
    arguments = call.get("arguments")
    text = arguments if isinstance(arguments, str) else json.dumps(arguments or {}, ensure_ascii=False)
    return {"id": f"call_{secrets.token_hex(12)}", "type": "function",
            "function": {"name": str(call.get("name", "")), "arguments": text}}


def seed() -> int:
    """A new seed; said with the answer, it can be asked for again."""
    return secrets.randbits(31)
