"""From token rows to batches: which rows go together, in which order, and as what tensors.

The order of an epoch is a function of seed and epoch alone, so a position in the data is nothing but a step number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

IGNORED = -100
GROUPED_BATCHES = 50


@dataclass(frozen=True)
class Batch:
    """A micro-batch; flattened `(1, tokens)`, or padded `(rows, longest)` with a `mask`.

    `labelled` are the flat positions whose next token is to be learned, `targets` those tokens. `tokens` counts what
    is not padding.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    lengths: tuple[int, ...]
    labelled: torch.Tensor
    targets: torch.Tensor
    tokens: int
    mask: torch.Tensor | None = None

    @property
    def trained(self) -> int:
        """How many tokens the loss is a mean over."""
        return int(self.targets.numel())

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        if device.type == "cpu":
            return self
        moved = {name: getattr(self, name).to(device, non_blocking=True)
                 for name in ("ids", "positions", "labelled", "targets")}
        mask = None if self.mask is None else self.mask.to(device, non_blocking=True)
        return Batch(lengths=self.lengths, tokens=self.tokens, mask=mask, **moved)


class Plan:
    """Which rows form which micro-batch in each epoch, for all ranks together.

    Without packing a micro-batch has `size` rows. With packing it has as many as fill `size * cutoff` tokens; the
    packs are made once, and each epoch shuffles their order. `grouped` sorts rows of similar length together, within
    stretches of 50 batches, for models that can only be given padded batches.
    """

    def __init__(self, lengths: np.ndarray, size: int, seed: int, *, pack_tokens: int = 0,
                 grouped: bool = False) -> None:
        self._lengths = np.asarray(lengths)
        self._size = size
        self._seed = seed
        self._grouped = grouped
        self._packs = packed(self._lengths, pack_tokens, seed) if pack_tokens else None

    @property
    def batches(self) -> int:
        """Micro-batches in an epoch."""
        return len(self._packs) if self._packs is not None else -(-len(self._lengths) // self._size)

    def longest_batch(self) -> int:
        """Tokens of the largest micro-batch that can come up."""
        if self._packs is not None:
            return int(max(self._lengths[pack].sum() for pack in self._packs))
        longest = np.sort(self._lengths)[-self._size:]
        return int(longest[-1] * len(longest) if self._grouped else longest.sum())

    def epoch(self, epoch: int) -> list[np.ndarray]:
        """The row numbers of every micro-batch of an epoch."""
        dice = np.random.default_rng((self._seed, epoch))
        if self._packs is not None:
            return [self._packs[i] for i in dice.permutation(len(self._packs))]
        order = dice.permutation(len(self._lengths))
        if self._grouped:
            order = self._by_length(order)
        batches = [order[i:i + self._size] for i in range(0, len(order), self._size)]
        return [batches[i] for i in dice.permutation(len(batches))] if self._grouped else batches

    def _by_length(self, order: np.ndarray) -> np.ndarray:
        stretch = self._size * GROUPED_BATCHES
        parts = [order[i:i + stretch] for i in range(0, len(order), stretch)]
        return np.concatenate([part[np.argsort(self._lengths[part], kind="stable")] for part in parts])


def packed(lengths: np.ndarray, capacity: int, seed: int) -> list[np.ndarray]:
    """Rows in bins of at most `capacity` tokens: shuffled, then each row into the fullest of the open bins it fits."""
    order = np.random.default_rng((seed, 0x9AC)).permutation(len(lengths))
    open_bins: list[tuple[int, list[int]]] = []
    closed: list[np.ndarray] = []
    for row in order:
        length = int(lengths[row])
        fitting = [i for i, (room, _) in enumerate(open_bins) if room >= length]
        if fitting:
            best = min(fitting, key=lambda i: open_bins[i][0])
            room, rows = open_bins.pop(best)
        else:
            room, rows = capacity, []
        rows.append(int(row))
        if room - length >= 8:
            open_bins.append((room - length, rows))
        else:
            closed.append(np.array(rows))
        if len(open_bins) > 32:
            fullest = min(range(len(open_bins)), key=lambda i: open_bins[i][0])
            closed.append(np.array(open_bins.pop(fullest)[1]))
    return closed + [np.array(rows) for _, rows in open_bins]


def flattened(rows: Any, chosen: Sequence[int] | np.ndarray, pad: int, rounding: int = 1) -> Batch:
    """The rows one after the other in a single row; positions restart, padding is a tail that nobody sees.

    `rows.row(i)` gives (ids, labels) at the same positions; a label is learned from the position before it.
    """
    ids, labelled, targets, lengths, start = [], [], [], [], 0
    for i in chosen:
        row_ids, row_labels = rows.row(int(i))
        wanted = np.flatnonzero(row_labels[1:] != IGNORED)
        ids.append(row_ids)
        labelled.append(wanted + start)
        targets.append(row_labels[1:][wanted])
        lengths.append(len(row_ids))
        start += len(row_ids)
    tail = -start % _rounding(start, rounding)
    if tail:
        ids.append(np.full(tail, pad))
        lengths.append(tail)
    positions = np.concatenate([np.arange(length) for length in lengths])
    return Batch(_long(np.concatenate(ids))[None], _long(positions)[None], tuple(lengths),
                 _long(np.concatenate(labelled)), _long(np.concatenate(targets)), start)


def _rounding(tokens: int, most: int) -> int:
    """The multiple that a row is filled up to: as wide as `most`, but never more than about 4 % of the row."""
    while most > 1 and most > tokens * 0.08:
        most //= 2
    return most


def padded(rows: Any, chosen: Sequence[int] | np.ndarray, pad: int, rounding: int = 1) -> Batch:
    """The rows below each other, padded on the right to the longest."""
    found = [rows.row(int(i)) for i in chosen]
    longest = max(len(ids) for ids, _ in found)
    ids = np.full((len(found), longest), pad)
    mask = np.zeros((len(found), longest), dtype=np.int64)
    labelled, targets = [], []
    for i, (row_ids, row_labels) in enumerate(found):
        ids[i, :len(row_ids)] = row_ids
        mask[i, :len(row_ids)] = 1
        wanted = np.flatnonzero(row_labels[1:] != IGNORED)
        labelled.append(wanted + i * longest)
        targets.append(row_labels[1:][wanted])
    positions = np.broadcast_to(np.arange(longest), ids.shape)
    lengths = tuple(len(row_ids) for row_ids, _ in found)
    return Batch(_long(ids), _long(positions), lengths, _long(np.concatenate(labelled)),
                 _long(np.concatenate(targets)), sum(lengths), _long(mask))


def _long(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.int64))
