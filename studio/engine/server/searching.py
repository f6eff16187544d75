"""A beam search among the rows of a batch: its beams are rows that are exchanged after every step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from studio.engine.server.alone import Piece
from studio.engine.server.beams import Beams
from studio.engine.server.requests import Request
from studio.engine.server.sampling import Sampling


class Search:
    """The beams of one request from its read prompt on; `slots` and `tokens` are its rows and what they bring next."""

    def __init__(self, runner: Any, request: Request, slot: Any) -> None:
        self._runner = runner
        self._beams = Beams(request.num_beams, request.length_penalty, sorted(request.end_ids), request.max_tokens,
                            Sampling.of(request.sampling), request.ids)
        self.slots: list[Any] = [slot]
        self.tokens: list[int] = []

    def pieces(self) -> list[Piece]:
        """One token for each beam."""
        return [Piece(slot, [token], 1) for slot, token in zip(self.slots, self.tokens, strict=True)]

    def go_on(self, logits: Tensor) -> bool:
        """Choose the next beams by the logits of the present ones; True when the search has ended."""
        parents, self.tokens, finished = self._beams.step(logits)
        self._exchange(parents)
        return finished

    def best(self, count: int) -> Sequence[Sequence[int]]:
        """The ids of the best answers, the best first, the token that ends them included."""
        return [beam.ids for beam in self._beams.best(count)]

    def close(self) -> None:
        """Give all places back."""
        self._exchange([])

    def _exchange(self, parents: Sequence[int]) -> None:
        """Places that continue the given ones: the first child takes its parent's, the others get copies."""
        made, taken = [], set()
        for parent in parents:
            made.append(self._runner.fork(self.slots[parent]) if parent in taken else self.slots[parent])
            taken.add(parent)
        for number, slot in enumerate(self.slots):
            if number not in taken:
                self._runner.close(slot)
        self.slots = made
