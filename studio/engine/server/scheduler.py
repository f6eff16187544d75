"""The scheduler: which rows take part in the next step, who comes in, who has ended.

Between two steps of those who speak, a piece of the prompts of those who still read is taken along, so that a long
prompt does not make the others wait. One thread calls everything here.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from studio.engine.diagnosis import diagnose
from studio.engine.server.alone import Piece
from studio.engine.server.checks import available_bytes
from studio.engine.server.kept import KeptTexts, common_of
from studio.engine.server.requests import Request
from studio.engine.server.rows import Entry, Row, ended
from studio.engine.server.sampling import RowState, Sampler, Sampling
from studio.engine.server.searching import Search
from studio.engine.server.words import Vocabulary, Words
from studio.errors import InputError, StudioError, WorkError

# A prompt is read in pieces that take about so long while others speak, and so long when nobody does.
_SECONDS_BESIDE, _SECONDS_ALONE = 0.12, 0.5
_LEAST_PIECE, _MOST_PIECE = 32, 1024
# All logits of a prompt at once would take more than the model: its pieces are cut to so many numbers.
_MOST_LOGITS = 16_000_000
# A row's memory grows by doubling, and a shelf by doubling its rows: for a moment twice as much is needed.
_WHILE_GROWING = 2


@dataclass
class Waiting:
    """A request whose choices have no place yet."""

    request: Request
    choices: list[int]


@dataclass
class Counts:
    """What has been done since the start; `read` tokens of prompts were computed, `reused` ones were not."""

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
    say: Callable[[Mapping[str, Any]], None]
    grammar: Callable[..., Any] | None = None
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
        """Queue a request; raises InputError beams_many for more beams than there are places."""
        if request.num_beams > self.places:
            raise InputError("beams_many", value=request.num_beams, most=self.places)
        if request.num_beams > 1 and request.max_tokens:
            self.waiting.append(Waiting(request, list(range(min(request.n, request.num_beams)))))
        else:
            self.waiting.append(Waiting(request, list(range(request.n))))

    def cancel(self, request_id: Any, reason: str = "cancelled") -> None:
        """End all answers of a request; its places are free at once."""
        for one in [one for one in self.waiting if one.request.id == request_id]:
            self.waiting.remove(one)
            for choice in one.choices:
                self.say(ended(one.request, choice, reason))
        for row in [row for row in self.rows if row.request.id == request_id]:
            for choice in row.choices:
                self.say(ended(row.request, choice, reason, row.reused, row.said, row.first))
            self._leave(row, keep=True)

    def drop_lane(self, lane: str) -> None:
        """End the answers of a checkpoint that is going away, and forget what it computed."""
        for request in [*(row.request for row in self.rows), *(one.request for one in self.waiting)]:
            if request.lane == lane:
                self.cancel(request.id)
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
        except Exception as error:  # the host outlives what goes wrong in one step
            self._failed(takers, error)
            return
        self._note_pace(takers, pieces, time.perf_counter() - began)
        try:
            self._speak(takers, pieces, logits)
        except Exception as error:  # the host outlives what goes wrong in one step
            self._failed([row for row in takers if row in self.rows], error)

    # ---- coming in ----

    def _admit(self) -> None:
        while self.waiting:
            one = self.waiting[0]
            free = self.places - sum(row.places for row in self.rows)
            if free < max(1, one.request.num_beams):
                return
            coming = one.choices if one.request.num_beams > 1 else one.choices[:free]
            if not self._has_memory(one.request, len(coming)):
                if self.rows:
                    return
                self._refuse(one.request, WorkError("rows_memory_short", **self._memory(one.request, len(coming))))
                continue
            self.waiting.popleft()
            if len(coming) < len(one.choices):
                self.waiting.appendleft(Waiting(one.request, one.choices[len(coming):]))
            try:
                self._enter(one.request, coming)
            except StudioError as error:
                self._refuse(one.request, error)
            except Exception as error:  # the host outlives what goes wrong in one step
                self._refuse(one.request, diagnose(error))

    def _memory(self, request: Request, choices: int) -> dict[str, int]:
        """What the rows of a request will take at most, and what there is, in MB."""
        tokens = len(request.prompt) + request.max_tokens
        rows = max(choices, request.num_beams)
        needed = tokens * rows * self.runner.bytes_per_token * _WHILE_GROWING
        return {"needed": needed >> 20, "free": available_bytes() >> 20}

    def _has_memory(self, request: Request, choices: int) -> bool:
        """Whether its rows fit; what is kept of ended rows gives way."""
        memory = self._memory(request, choices)
        if memory["needed"] < memory["free"]:
            return True
        self.kept.shrink(0)
        memory = self._memory(request, choices)
        return memory["needed"] < memory["free"]

    def _refuse(self, request: Request, error: StudioError) -> None:
        """Say why a request gets no answer, once for all its choices."""
        for one in [one for one in self.waiting if one.request is request]:
            self.waiting.remove(one)
        for row in [row for row in self.rows if row.request is request]:
            self._leave(row, keep=False)
        self.say({"error": {"id": request.id, "code": error.code, "values": dict(error.values)}})

    def _enter(self, request: Request, choices: list[int]) -> None:
        prompt = list(request.prompt)
        state = self._state(request, choices[0])
        slot, reused = self._begun(request, len(prompt) + min(request.max_tokens, 64))
        self.counts.reused += reused
        self.rows.append(Row(request, choices, slot, prompt[:reused], prompt[reused:], state,
                             Words(self.vocabulary, request.stop, request.skip_special), reused))

    def _begun(self, request: Request, room: int) -> tuple[Any, int]:
        """A place for a request, and how many ids of its prompt it holds already: kept ones, or a running row's."""
        most = len(request.prompt) - 1
        most = most if request.noted_from is None else min(request.noted_from, most)
        found, shared = self.kept.find(request.lane, request.prompt)
        content = found.content if found is not None else None
        for row in self.rows:
            if row.request.lane == request.lane and row.search is None:
                both = common_of(row.seen, request.prompt)
                if both > shared:
                    content, shared = row.slot, both
        shared = min(shared, most)
        if content is not None and shared > 0:
            slot = self.runner.lay(content, shared, room)
            if slot is not None:
                return slot, shared
        return self.runner.open(request.lane, room), 0

    def _state(self, request: Request, choice: int) -> RowState:
        grammar = None
        if request.grammar and self.grammar is not None:
            grammar = self.grammar(request.grammar, sorted(request.end_ids))
        return RowState(Sampling.of(request.sampling), request.ids, choice, request.logprobs, grammar)

    # ---- one step ----

    def _pieces(self) -> tuple[list[Piece], list[Row]]:
        """What takes part in the next step, and whose it is; a search takes part with several pieces."""
        pieces: list[Piece] = []
        takers: list[Row] = []
        for row in self.rows:
            if not row.reading:
                mine = row.search.pieces() if row.search is not None else [Piece(row.slot, row.feed[:1], 1)]
                pieces.extend(mine)
                takers.extend([row] * len(mine))
        budget = int(self.rate * (_SECONDS_BESIDE if takers else _SECONDS_ALONE))
        budget = min(_MOST_PIECE, max(_LEAST_PIECE, budget))
        for row in self.rows:
            if row.reading and budget > 0:
                count = min(len(row.feed), budget, self._most_ids(row))
                pieces.append(Piece(row.slot, row.feed[:count], row.wanted(count)))
                takers.append(row)
                budget -= count
        return pieces, takers

    def _most_ids(self, row: Row) -> int:
        if row.request.noted_from is None:
            return _MOST_PIECE
        return max(1, _MOST_LOGITS // max(1, self.vocabulary.tokenizer.get_vocab_size()))

    def _note_pace(self, takers: Sequence[Row], pieces: Sequence[Piece], seconds: float) -> None:
        """Count what was done, and how quickly prompts are read."""
        self.counts.steps += 1
        read = sum(len(piece.ids) for row, piece in zip(takers, pieces, strict=True) if row.reading)
        self.counts.read += read
        if read >= _LEAST_PIECE and seconds > 0:
            self.rate = 0.5 * self.rate + 0.5 * read / seconds

    def _speak(self, takers: Sequence[Row], pieces: Sequence[Piece], logits: Tensor) -> None:
        """Choose the next token of every row that has logits, and send them as one line."""
        entries: list[Entry] = []
        speakers: list[Row] = []
        places: list[int] = []
        searching: dict[int, tuple[Row, list[int]]] = {}
        start = 0
        for row, piece in zip(takers, pieces, strict=True):
            end = start + piece.wanted
            if row.search is not None:
                searching.setdefault(id(row), (row, []))[1].append(start)
            else:
                row.seen.extend(piece.ids)
                del row.feed[:len(piece.ids)]
                if row.reading and row.request.noted_from is not None and piece.wanted:
                    row.note(piece.ids, logits[start:end], self.vocabulary)
                if not row.feed:
                    members = self._members(row, entries)
                    if row.search is not None:
                        searching[id(row)] = (row, [end - 1])
                    speakers.extend(members)
                    places.extend([end - 1] * len(members))
            start = end
        self._choose(speakers, logits if places == list(range(len(logits))) else logits[places], entries)
        for row, mine in searching.values():
            self._search(row, logits[mine])

    def _members(self, row: Row, entries: list[Entry]) -> list[Row]:
        """The row itself; when it has just read its prompt, one for each of its choices, the prompt shared."""
        if not row.reading:
            return [row]
        row.reading = False
        members = [row]
        if row.request.prompt_logprobs:
            self.say({"prompt": {"id": row.request.id, "logprobs": [None, *row.notes]}})
        if row.request.max_tokens < 1:
            entries.extend(row.begun())
            for choice in row.choices:
                self.say(ended(row.request, choice, "length", row.reused))
            self._leave(row, keep=True)
            return []
        if row.request.num_beams > 1:
            row.search = Search(self.runner, row.request, row.slot)
            row.slot = None
            return []
        request, choices, row.choices = row.request, row.choices, row.choices[:1]
        for choice in choices[1:]:
            members.append(Row(request, [choice], self.runner.fork(row.slot), list(row.seen), [],
                               self._state(request, choice), Words(self.vocabulary, request.stop, request.skip_special),
                               row.reused, reading=False, notes=row.notes))
            self.rows.append(members[-1])
        for member in members:
            entries.extend(member.begun())
        return members

    def _choose(self, speakers: Sequence[Row], logits: Tensor, entries: list[Entry]) -> None:
        """One token for each row of logits."""
        over: list[tuple[Row, str]] = []
        if speakers:
            picked = self.sampler.pick(logits, [row.state for row in speakers])
            for row, token, logprob, tops in zip(speakers, picked.ids, picked.logprobs, picked.tops, strict=True):
                if token < 0:  # a grammar that allows nothing more has ended the answer; else the model is broken
                    over.append((row, "stop" if row.state.grammar is not None else ""))
                    continue
                entry, reason = row.say(token, logprob, tops, self.vocabulary)
                if entry is not None:
                    entries.append(entry)
                if reason:
                    over.append((row, reason))
            self.counts.tokens += len(speakers)
        if entries:
            self.say({"tokens": entries})
        for row, reason in over:
            if reason:
                self.say(row.ended(reason))
                self._leave(row, keep=True)
            elif row in self.rows:
                self._refuse(row.request, WorkError("answer_no_numbers"))

    def _search(self, row: Row, logits: Tensor) -> None:
        """One step of a beam search; when it has ended, its best answers are said at once."""
        assert row.search is not None
        self.counts.tokens += len(logits)
        if not row.search.go_on(logits):
            return
        for choice, ids in zip(row.choices, row.search.best(len(row.choices)), strict=False):
            one = Row(row.request, [choice], None, [], [], self._state(row.request, choice),
                      Words(self.vocabulary, row.request.stop, row.request.skip_special), row.reused)
            begun = one.begun()
            entries, reason = one.said_whole(ids, self.vocabulary)
            if begun or entries:
                self.say({"tokens": [*begun, *entries]})
            self.say(one.ended(reason))
        self._leave(row, keep=False)

    # ---- leaving ----

    def _leave(self, row: Row, *, keep: bool) -> None:
        """Free a row's place at once; what it computed may be kept for the next turn."""
        self.rows.remove(row)
        if row.search is not None:
            row.search.close()
            return
        size = self.runner.size(row.slot)
        if keep and self.kept.wants(row.request.lane, row.seen, size):
            self.kept.put(row.request.lane, row.seen, self.runner.take(row.slot), size)
        self.runner.close(row.slot)

    def _failed(self, takers: Sequence[Row], error: BaseException) -> None:
        """A step that could not be computed ends those who were reading, else all in it: the others go on."""
        self.kept.shrink(0)
        readers = [row for row in takers if row.reading]
        failed = diagnose(error)
        for row in list(readers if self.runner.one_batch and readers else takers):
            if row in self.rows:
                self._refuse(row.request, failed)
