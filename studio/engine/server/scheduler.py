"""The scheduler: which rows take part in the next step, who comes in, who has ended.

Between two steps of those who speak, a piece of the prompts of those who still read is taken along, so that a long
prompt does not make the others wait. One thread calls everything here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from studio.engine.server.alone import Piece
from studio.engine.server.kept import KeptTexts
from studio.engine.server.requests import Request
from studio.engine.server.rows import Entry, Row
from studio.engine.server.sampling import RowState, Sampler, Sampling
from studio.engine.server.words import Vocabulary, Words
from studio.errors import StudioError

# A prompt is read in pieces that take about so long while others speak, and so long when nobody does.
_SECONDS_BESIDE, _SECONDS_ALONE = 0.12, 0.5
_LEAST_PIECE, _MOST_PIECE = 32, 1024
# All logits of a prompt at once would take more than the model: its pieces are cut to so many numbers.
_MOST_LOGITS = 16_000_000


@dataclass
class Waiting:
    """A request whose choices have no place yet."""

    request: Request
    choices: list[int]


@dataclass
class Counts:
    """What has been done since the start."""

    steps: int = 0
    tokens: int = 0
    read: int = 0
    reused: int = 0


@dataclass
class Scheduler:
    """`say` sends one message; `runner` computes; at most `places` rows at once."""

    runner: Any
    vocabulary: Vocabulary
    kept: KeptTexts
    places: int
    context: int
    say: Callable[[Mapping[str, Any]], None]
    grammar: Callable[[Mapping[str, Any]], Any] | None = None
    rows: list[Row] = field(default_factory=list)
    waiting: deque[Waiting] = field(default_factory=deque)
    counts: Counts = field(default_factory=Counts)
    sampler: Sampler = field(default_factory=Sampler)
    rate: float = 500.0  # tokens of prompts read in a second, as last seen

    @property
    def busy(self) -> bool:
        """Whether there is anything to compute."""
        return bool(self.rows or self.waiting)

    def add(self, request: Request) -> None:
        """Queue a request."""
        self.waiting.append(Waiting(request, list(range(request.n))))

    def cancel(self, request_id: Any, reason: str = "cancelled") -> None:
        """End all answers of a request; its places are free at once."""
        for one in [one for one in self.waiting if one.request.id == request_id]:
            self.waiting.remove(one)
            for choice in one.choices:
                self.say(self._row(replace(one.request, max_tokens=0), [choice], None, 0).ended(reason))
        for row in [row for row in self.rows if row.request.id == request_id]:
            for choice in row.choices:
                self.say({"done": {**row.ended(reason)["done"], "choice": choice}})
            self._leave(row, keep=True)

    def drop_lane(self, lane: str) -> None:
        """End the answers of a checkpoint that is going away."""
        for request in {row.request.id for row in self.rows if row.request.lane == lane} | {
                one.request.id for one in self.waiting if one.request.lane == lane}:
            self.cancel(request)
        self.kept.forget(lane)

    def step(self) -> None:
        """Let come in who finds a place, compute one token of all who speak, read a piece of the prompts."""
        self._admit()
        pieces, takers = self._pieces()
        if not pieces:
            return
        began = time.perf_counter()
        try:
            logits = self.runner.run(pieces)
        except (MemoryError, RuntimeError) as error:
            self._failed(takers, error)
            return
        self._note_pace(pieces, time.perf_counter() - began)
        for row, piece in zip(takers, pieces, strict=True):
            row.seen.extend(piece.ids)
            del row.feed[:len(piece.ids)]
        self.counts.steps += 1
        self._speak(takers, pieces, logits)

    # ---- coming in ----

    def _admit(self) -> None:
        while self.waiting:
            free = self.places - sum(len(row.choices) for row in self.rows)
            one = self.waiting[0]
            if free <= 0:
                return
            self.waiting.popleft()
            coming, later = one.choices[:free], one.choices[free:]
            if later:
                self.waiting.appendleft(Waiting(one.request, later))
            self._enter(one.request, coming)

    def _enter(self, request: Request, choices: list[int]) -> None:
        prompt = request.prompt
        room = len(prompt) + min(request.max_tokens, 64)
        slot, reused = None, 0
        if not request.prompt_logprobs:
            found, shared = self.kept.find(request.lane, prompt)
            shared = min(shared, len(prompt) - 1)
            if found is not None and shared > 0:
                slot = self.runner.lay(found.content, shared, room)
                reused = shared if slot is not None else 0
        slot = slot if slot is not None else self.runner.open(request.lane, room)
        try:
            row = self._row(request, choices, slot, reused)
        except StudioError as error:
            self.runner.close(slot)
            self.say({"error": {"id": request.id, "code": error.code, "values": error.values}})
            return
        self.counts.reused += reused
        self.rows.append(row)

    def _row(self, request: Request, choices: list[int], slot: Any, reused: int) -> Row:
        prompt = list(request.prompt)
        return Row(request, choices, slot, prompt[:reused], prompt[reused:],
                   self._state(request, choices[0]), Words(self.vocabulary, request.stop, request.skip_special), reused,
                   prompt_logprobs=[None] if request.prompt_logprobs else None)

    def _state(self, request: Request, choice: int) -> RowState:
        grammar = self.grammar(request.grammar) if self.grammar is not None and request.grammar else None
        return RowState(Sampling.of(request.sampling), request.ids, choice, request.logprobs, grammar)

    # ---- one step ----

    def _pieces(self) -> tuple[list[Piece], list[Row]]:
        """What takes part in the next step, and whose it is."""
        pieces, takers = [], []
        for row in self.rows:
            if not row.reading:
                pieces.append(Piece(row.slot, row.feed[:1], 1))
                takers.append(row)
        budget = self._budget(_SECONDS_BESIDE if takers else _SECONDS_ALONE)
        for row in self.rows:
            if row.reading and budget > 0:
                count = min(len(row.feed), budget, self._most_logits(row))
                whole = count == len(row.feed)
                pieces.append(Piece(row.slot, row.feed[:count], count if row.prompt_logprobs is not None else whole))
                takers.append(row)
                budget -= count
        return pieces, takers

    def _budget(self, seconds: float) -> int:
        return int(min(_MOST_PIECE, max(_LEAST_PIECE, self.rate * seconds)))

    def _most_logits(self, row: Row) -> int:
        if row.prompt_logprobs is None:
            return _MOST_PIECE
        return max(1, _MOST_LOGITS // max(1, self.vocabulary.tokenizer.get_vocab_size()))

    def _note_pace(self, pieces: Sequence[Piece], seconds: float) -> None:
        tokens = sum(len(piece.ids) for piece in pieces)
        longest = max(len(piece.ids) for piece in pieces)
        if longest >= _LEAST_PIECE and seconds > 0:
            self.rate = 0.5 * self.rate + 0.5 * tokens / seconds
        self.counts.read += sum(len(piece.ids) for piece in pieces if len(piece.ids) > 1)

    def _speak(self, takers: Sequence[Row], pieces: Sequence[Piece], logits: Tensor) -> None:
        """Choose the next token of every row that has logits, and send them as one line."""
        start, speakers, places = 0, [], []
        entries: list[Entry] = []
        for row, piece in zip(takers, pieces, strict=True):
            if row.prompt_logprobs is not None and row.reading and piece.wanted:
                self._note_prompt(row, piece, logits[start:start + piece.wanted])
            start += int(piece.wanted)
            if row.feed:
                continue
            for member in self._members(row, entries):
                speakers.append(member)
                places.append(start - 1)
        self._choose(speakers, logits if places == list(range(len(logits))) else logits[places], entries)

    def _members(self, row: Row, entries: list[Entry]) -> list[Row]:
        """The row itself; when it has just read its prompt, one for each of its choices, the prompt shared."""
        if not row.reading:
            return [row]
        row.reading = False
        members, choices = [row], row.choices
        for choice in choices[1:]:
            made = self._row(row.request, [choice], self.runner.fork(row.slot), row.reused)
            made.seen, made.feed, made.reading = list(row.seen), [], False
            members.append(made)
            self.rows.append(made)
        row.choices = choices[:1]
        for member in members:
            entries.extend(member.begun(self.vocabulary))
        if row.prompt_logprobs is not None:
            self.say({"prompt": {"id": row.request.id, "logprobs": row.prompt_logprobs}})
        if row.request.max_tokens < 1:
            for member in members:
                self.say(member.ended("length"))
                self._leave(member, keep=True)
            return []
        return members

    def _choose(self, speakers: Sequence[Row], logits: Tensor, entries: list[Entry]) -> None:
        ended: list[tuple[Row, str]] = []
        if speakers:
            picked = self.sampler.pick(logits, [row.state for row in speakers])
            for row, token, logprob, tops in zip(speakers, picked.ids, picked.logprobs, picked.tops, strict=True):
                if token < 0:
                    ended.append((row, ""))
                    continue
                entry, reason = row.say(token, logprob, tops, self.vocabulary)
                if entry is not None:
                    entries.append(entry)
                if reason:
                    ended.append((row, reason))
            self.counts.tokens += len(speakers)
        if entries:
            self.say({"tokens": entries})
        for row, reason in ended:
            if reason:
                self.say(row.ended(reason))
            else:
                self.say({"error": {"id": row.request.id, "choice": row.choice, "code": "answer_nothing", "values": {}}})
            self._leave(row, keep=bool(reason))

    def _note_prompt(self, row: Row, piece: Piece, logits: Tensor) -> None:
        """The log probability of each next token of the prompt, with the likeliest ones."""
        assert row.prompt_logprobs is not None
        prompt = row.request.prompt
        start = len(row.seen) - len(piece.ids)
        count = max(1, row.request.logprobs or 1)
        after = prompt[start + 1:start + 1 + len(piece.ids)]
        if not after:
            return
        own = torch.log_softmax(logits[:len(after)].float(), dim=-1)
        chosen = own.gather(1, torch.tensor(after, device=own.device)[:, None])[:, 0].tolist()
        likeliest = own.topk(min(count, own.shape[-1]))
        alone = self.vocabulary.alone
        for one, value, ids, values in zip(after, chosen, likeliest.indices.tolist(), likeliest.values.tolist(),
                                           strict=True):
            row.prompt_logprobs.append([one, alone(one), value,
                                        [[i, alone(i), v] for i, v in zip(ids, values, strict=True)]])

    # ---- leaving ----

    def _leave(self, row: Row, *, keep: bool) -> None:
        self.rows.remove(row)
        if keep and row.slot is not None and row.seen:
            content = self.runner.take(row.slot)
            if self.kept.wants(row.request.lane, row.seen, content.bytes):
                self.kept.put(row.request.lane, row.seen, content, content.bytes)
        self.runner.close(row.slot)

    def _failed(self, takers: Sequence[Row], error: BaseException) -> None:
        """A step that could not be computed ends those who were reading, else all: the others go on."""
        from studio.engine.__main__ import diagnose

        failed = diagnose(error)
        readers = [row for row in takers if row.reading]
        self.kept.shrink(0)
        for row in readers if self.runner.one_batch and readers else takers:
            self.say({"error": {"id": row.request.id, "code": failed.code, "values": failed.values}})
            self._leave(row, keep=False)
