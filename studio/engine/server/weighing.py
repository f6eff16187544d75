"""How likely given texts are: endings weighed behind what stands in front of them, which is computed once.

What all items of a wish begin with (solved examples, a system prompt) is read once and laid under each; then every
item's own beginning, and behind that its endings, all rows of a step side by side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from studio.engine.server.alone import Piece

_MOST_IDS, _MOST_LOGITS = 2048, 16_000_000
_LEAST_SHARED = 16
# (log probability of all tokens, whether each of them is the likeliest); None where there are no numbers.
Weight = tuple[float | None, bool]


@dataclass
class _Way:
    """One row being read; `after` are, for each id from `asks_from` on, the ids that may follow it."""

    slot: Any
    ids: Sequence[int]
    asks_from: int
    after: Sequence[Sequence[int]]
    read: int = 0
    found: list[list[tuple[float, bool]]] = field(default_factory=list)

    def wanted(self, count: int) -> int:
        """Of how many of the next ids logits are wanted."""
        return max(0, self.read + count - max(self.read, self.asks_from))

    def take(self, logits: Tensor) -> None:
        """Look up what follows each of the last ids that were read."""
        if not len(logits):
            return
        chances = torch.log_softmax(logits.float(), dim=-1)
        likeliest = chances.argmax(dim=-1).tolist()
        for row, best in zip(chances, likeliest, strict=True):
            after = self.after[len(self.found)]
            values = row[torch.tensor(list(after), dtype=torch.long, device=row.device)].tolist()
            self.found.append([(value, one == best) for value, one in zip(values, after, strict=True)])


class Weigher:
    """Weighs endings with a runner; `vocabulary` bounds how many logits are made at once."""

    def __init__(self, runner: Any, vocabulary: int) -> None:
        self._runner = runner
        self._most_logits = max(1, _MOST_LOGITS // max(1, vocabulary))

    def weigh(self, lane: str, items: Sequence[Mapping[str, Any]]) -> list[list[Weight]]:
        """The weight of every ending of every item {"prefix": ids, "endings": [ids, …]}; no ids list is empty."""
        prefixes = [list(map(int, one["prefix"])) for one in items]
        endings = [[list(map(int, ids)) for ids in one["endings"]] for one in items]
        begun = self._begun(lane, prefixes)
        ways: list[_Way] = []
        rows: list[_Way | None] = []
        try:
            for prefix, ends in zip(prefixes, endings, strict=True):
                ways.append(self._way(lane, begun, prefix, ends))
            self._read(ways)
            for way, ends in zip(ways, endings, strict=True):
                for one in ends:
                    rows.append(self._ending(way, one, alone=len(ends) == 1))
            self._read([row for row in rows if row is not None])
            said = iter(rows)
            return [[_weight([first, *_after(next(said))]) for first in way.found[0]] for way in ways]
        finally:
            own = {id(way.slot) for way in ways}
            for row in (*ways, *(row for row in rows if row is not None and id(row.slot) not in own)):
                self._runner.close(row.slot)
            if begun is not None:
                self._runner.close(begun.slot)

    def _begun(self, lane: str, prefixes: Sequence[list[int]]) -> _Way | None:
        """What all items begin with, read; None when that is little."""
        shared = min(map(len, prefixes)) - 1 if len(prefixes) > 1 else 0
        for prefix in prefixes[1:]:
            shared = next((place for place in range(shared) if prefix[place] != prefixes[0][place]), shared)
        if shared < _LEAST_SHARED:
            return None
        way = _Way(self._runner.open(lane, shared), prefixes[0][:shared], shared, ())
        self._read([way])
        return way

    def _way(self, lane: str, begun: _Way | None, prefix: list[int], ends: Sequence[list[int]]) -> _Way:
        firsts = [one[0] for one in ends]
        laid = self._runner.lay(begun.slot, len(begun.ids), len(prefix)) if begun is not None else None
        if laid is None:
            return _Way(self._runner.open(lane, len(prefix)), prefix, len(prefix) - 1, [firsts])
        assert begun is not None
        rest = prefix[len(begun.ids):]
        return _Way(laid, rest, len(rest) - 1, [firsts])

    def _ending(self, way: _Way, ids: list[int], alone: bool) -> _Way | None:
        """The row of an ending behind its item: the item's own where it is the only one; None where one id is all."""
        if len(ids) == 1:
            return None
        return _Way(way.slot if alone else self._runner.fork(way.slot), ids[:-1], 0, [[one] for one in ids[1:]])

    def _read(self, ways: Sequence[_Way]) -> None:
        """Read all rows to their end, as many ids side by side as memory allows."""
        left = [way for way in ways if len(way.ids)]
        while left:
            pieces, takers, ids, logits = [], [], _MOST_IDS, self._most_logits
            for way in left:
                count = min(len(way.ids) - way.read, ids)
                while count and way.wanted(count) > logits:
                    count -= way.wanted(count) - logits
                if count > 0:
                    pieces.append(Piece(way.slot, way.ids[way.read:way.read + count], way.wanted(count)))
                    takers.append((way, count))
                    ids, logits = ids - count, logits - way.wanted(count)
            made, start = self._runner.run(pieces), 0
            for (way, count), piece in zip(takers, pieces, strict=True):
                way.take(made[start:start + piece.wanted])
                way.read += count
                start += piece.wanted
            left = [way for way in left if way.read < len(way.ids)]


def _after(row: _Way | None) -> list[tuple[float, bool]]:
    return [] if row is None else [step[0] for step in row.found]


def _weight(steps: Sequence[tuple[float, bool]]) -> Weight:
    total = math.fsum(value for value, _ in steps)
    return (total if math.isfinite(total) else None), all(best for _, best in steps)
