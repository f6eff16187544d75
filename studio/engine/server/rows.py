"""Rows: answers in the making, from the prompt that is still being read to the last word."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from studio.engine.server.requests import Request
from studio.engine.server.sampling import RowState
from studio.engine.server.words import Vocabulary, Words

# [request, choice, token id, text, log probability, [[id, text, log probability], …]]
Entry = list[Any]


@dataclass(eq=False)
class Row:
    """One answer; `feed` are the ids that the model has not read yet, `seen` those that its place holds.

    A row with more than its own last token to feed is still reading; `choices` says whom it reads for.
    """

    request: Request
    choices: list[int]
    slot: Any
    seen: list[int]
    feed: list[int]
    state: RowState
    words: Words
    reused: int = 0
    said: int = 0
    reading: bool = True
    began: float = field(default_factory=time.monotonic)
    first: float | None = None
    prompt_logprobs: list[Any] | None = None

    @property
    def choice(self) -> int:
        """Which of its request's answers it is."""
        return self.choices[0]

    def begun(self, vocabulary: Vocabulary) -> list[Entry]:
        """Say the ids that the answer was asked to begin with."""
        entries = []
        for one in self.request.prefix_ids:
            self.state.push(one)
            text, _ = self.words.push(one)
            entries.append([self.request.id, self.choice, one, text, None, None])
        return entries

    def say(self, token_id: int, logprob: float | None, tops: list[tuple[int, float]] | None,
            vocabulary: Vocabulary) -> tuple[Entry | None, str | None]:
        """Take the next token: what to send, and why the answer ends if it does."""
        if self.first is None:
            self.first = time.monotonic()
        alternatives = None if tops is None else [[one, vocabulary.alone(one), value] for one, value in tops]
        head = [self.request.id, self.choice, token_id]
        if token_id in self.request.end_ids:
            rest = self.words.flush()
            return ([*head, rest, logprob, alternatives] if rest else None), "stop"
        self.state.push(token_id)
        self.said += 1
        self.feed = [token_id]
        text, stopped = self.words.push(token_id)
        reason = "stop_text" if stopped else "length" if self.said >= self.request.max_tokens else None
        if reason == "length":
            text += self.words.flush()
        return [*head, text, logprob, alternatives], reason

    def ended(self, reason: str, **more: Any) -> Mapping[str, Any]:
        """The message that closes the answer."""
        now = time.monotonic()
        first = None if self.first is None else round(self.first - self.request.came, 6)
        return {"done": {"id": self.request.id, "choice": self.choice, "reason": reason,
                         "prompt_tokens": len(self.request.ids), "reused_tokens": self.reused, "tokens": self.said,
                         "seconds": round(now - self.request.came, 6), "first_token_seconds": first, **more}}
