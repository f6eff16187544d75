"""Rows: answers in the making, from the prompt that is still being read to the last word."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from studio.engine.server.requests import Request
from studio.engine.server.sampling import RowState
from studio.engine.server.searching import Search
from studio.engine.server.words import Vocabulary, Words

# [request, choice, token id, text, log probability, [[id, text, log probability], …]]
Entry = list[Any]


@dataclass(eq=False)
class Row:
    """One answer; `feed` are the ids that the model has not read yet, `seen` those that its place holds.

    While it is `reading` it reads for all its `choices`. `notes` are the chances of what was given: of all ids of the
    prompt where they are asked for, else of those that the answer begins with.
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
    first: float | None = None
    notes: list[Any] = field(default_factory=list)
    search: Search | None = None

    @property
    def choice(self) -> int:
        """Which of its request's answers it is."""
        return self.choices[0]

    @property
    def places(self) -> int:
        """How many rows it is or will be."""
        return max(len(self.choices), self.request.num_beams)

    def wanted(self, count: int) -> int:
        """Of how many of the next `count` ids logits are wanted."""
        start, end = len(self.seen), len(self.seen) + count
        if self.request.noted_from is None:
            return int(count == len(self.feed))
        return max(int(count == len(self.feed)), end - max(start, self.request.noted_from))

    def note(self, ids: Sequence[int], logits: Tensor, vocabulary: Vocabulary) -> None:
        """Note the chances of the given ids that follow those just read; `logits` are of the last of these."""
        start = len(self.seen) - logits.shape[0]
        after = self.request.prompt[start + 1:start + 1 + logits.shape[0]]
        if not after:
            return
        own = torch.log_softmax(logits[:len(after)].float(), dim=-1)
        chosen = own.gather(1, torch.tensor(after, device=own.device)[:, None])[:, 0].tolist()
        likeliest = own.topk(min(max(1, self.request.logprobs or 1), own.shape[-1]))
        for one, value, others, values in zip(after, chosen, likeliest.indices.tolist(), likeliest.values.tolist(),
                                              strict=True):
            tops = [[other, vocabulary.alone(other), chance] for other, chance in zip(others, values, strict=True)]
            self.notes.append([one, vocabulary.alone(one), value, tops])

    def begun(self) -> list[Entry]:
        """Say the ids that the answer was asked to begin with."""
        entries = []
        given = self.request.prefix_ids
        notes = self.notes[len(self.notes) - len(given):] if self.request.logprobs is not None else []
        for place, one in enumerate(given):
            self.state.push(one)
            text, _ = self.words.push(one)
            chance = notes[place][2:] if len(notes) == len(given) else [None, None]
            entries.append([self.request.id, self.choice, one, text, *chance])
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

    def said_whole(self, ids: Sequence[int], vocabulary: Vocabulary) -> tuple[list[Entry], str]:
        """Say an answer that is known to its end, as a beam search finds it."""
        entries: list[Entry] = []
        for one in ids:
            entry, reason = self.say(one, None, None, vocabulary)
            if entry is not None:
                entries.append(entry)
            if reason:
                return entries, reason
        rest = self.words.flush()
        if rest and entries:
            entries[-1][3] += rest
        return entries, "stop"

    def ended(self, reason: str) -> Mapping[str, Any]:
        """The message that closes the answer."""
        return ended(self.request, self.choice, reason, self.reused, self.said, self.first)


def ended(request: Request, choice: int, reason: str, reused: int = 0, said: int = 0,
          first: float | None = None) -> Mapping[str, Any]:
    """The message that closes one answer of a request."""
    seconds = round(time.monotonic() - request.came, 6)
    return {"done": {"id": request.id, "choice": choice, "reason": reason, "prompt_tokens": len(request.ids),
                     "reused_tokens": reused, "tokens": said, "seconds": seconds,
                     "first_token_seconds": None if first is None else round(first - request.came, 6)}}
