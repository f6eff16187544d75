"""Beam search for one answer, step by step, so that its beams can be rows among others in a batch.

The rules are those of transformers' `generate(num_beams=…)` with its defaults: as many finished beams as running ones
are kept, scored by log probability divided by length to the power of `length_penalty`, and the search ends when the
best running beam could not beat the worst finished one any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from studio.engine.server.sampling import RowState, Sampling


@dataclass(frozen=True, slots=True)
class Beam:
    """The tokens of one beam, its summed log probability or, once it has ended, its score."""

    ids: tuple[int, ...]
    score: float


class Beams:
    """The beams of one answer; `sampling` gives biases and penalties, its temperature and filters are not used."""

    def __init__(self, num_beams: int, length_penalty: float = 1.0, end_ids: Sequence[int] = (),
                 max_tokens: int = 1 << 30, sampling: Sampling | None = None, prompt_ids: Sequence[int] = ()) -> None:
        self.num_beams = num_beams
        self._length_penalty = length_penalty
        self._ends = frozenset(end_ids)
        self._max_tokens = max_tokens
        self._sampling, self._prompt_ids = sampling, prompt_ids
        self.running = [Beam((), 0.0)]
        self.ended: list[Beam] = []

    def step(self, logits: Tensor) -> tuple[list[int], list[int], bool]:
        """Of which rows the new rows are continuations, their new tokens, and whether the search is finished.

        `logits` are (beams, vocabulary) in the order of the last answer; there is one row before the first step.
        When the search is finished there are no new rows.
        """
        summed = self._logprobs(logits) + torch.tensor([[one.score] for one in self.running], device=logits.device)
        keep = max(2, 1 + len(self._ends)) * self.num_beams
        size = logits.shape[-1]
        values, places = summed.flatten().topk(min(keep, summed.numel()))
        parents: list[int] = []
        running: list[Beam] = []
        for rank, (score, place) in enumerate(zip(values.tolist(), places.tolist(), strict=True)):
            parent, token = divmod(place, size)
            beam = Beam((*self.running[parent].ids, token), score)
            if token not in self._ends and len(beam.ids) < self._max_tokens:
                if len(running) < self.num_beams:
                    running.append(beam)
                    parents.append(parent)
            elif rank < self.num_beams:
                self._end(beam)
        self.running = running
        if self._is_finished():
            return [], [], True
        return parents, [one.ids[-1] for one in running], False

    def best(self, count: int = 1) -> list[Beam]:
        """The best answers so far, the end token included."""
        return [*self.ended, *self.running][:count]

    def _logprobs(self, logits: Tensor) -> Tensor:
        """The log probabilities with biases and penalties worked in, as `generate` does it."""
        found = logits.float().log_softmax(dim=-1)
        if self._sampling is not None and self._sampling.adjusts:
            for place, beam in enumerate(self.running):
                row = RowState(self._sampling, self._prompt_ids)
                for one in beam.ids:
                    row.push(one)
                row.adjust(found[place])
        return found

    def _end(self, beam: Beam) -> None:
        score = beam.score / len(beam.ids) ** self._length_penalty
        self.ended = sorted([*self.ended, Beam(beam.ids, score)], key=lambda one: -one.score)[:self.num_beams]

    def _is_finished(self) -> bool:
        if not self.running:
            return True
        if len(self.ended) < self.num_beams:
            return False
        best = self.running[0]
        return best.score / len(best.ids) ** self._length_penalty <= self.ended[-1].score
