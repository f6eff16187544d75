"""The rows' memory: keys and values of all rows of about one length in one block of tensors a layer.

Rows live on shelves: a shelf holds rows of up to `capacity` tokens side by side, without holes, as `(rows, heads,
capacity, dim)` a layer. A row that outgrows its shelf moves to one of twice the capacity; when one leaves, the last
takes its place. So the rows of a shelf are attended to in one product that wastes less than half, and memory is
given back by halves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

_LEAST_CAPACITY = 128


@dataclass(eq=False)
class Slot:
    """A row's place: the first `length` of its places are filled, `before` of them with what is no text."""

    shelf: Shelf
    row: int
    lane: str
    before: int = 0
    length: int = 0

    @property
    def tokens(self) -> int:
        """How many tokens of text it holds."""
        return self.length - self.before


@dataclass(frozen=True)
class Copied:
    """Keys and values of a slot, `(heads, places, dim)` a layer."""

    lane: str
    keys: list[Tensor]
    values: list[Tensor]
    before: int


@dataclass(eq=False)
class Shelf:
    """Rows of up to `capacity` places; `keys` and `values` have room for more rows than `slots` fill."""

    capacity: int
    keys: list[Tensor] = field(default_factory=list)
    values: list[Tensor] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)

    @property
    def bytes(self) -> int:
        """What its tensors take."""
        return sum(t.numel() * t.element_size() for t in (*self.keys, *self.values))


class Slots:
    """All shelves; `shapes` are (heads, key dim, value dim) a layer."""

    def __init__(self, shapes: Sequence[tuple[int, int, int]], dtype: torch.dtype, device: torch.device) -> None:
        self.shapes = list(shapes)
        self.dtype = dtype
        self.device = device
        self.shelves: dict[int, Shelf] = {}

    @property
    def bytes(self) -> int:
        """What all rows take, with the room that is kept for more."""
        return sum(shelf.bytes for shelf in self.shelves.values())

    @property
    def bytes_per_token(self) -> int:
        """What one token of one row takes."""
        return sum(heads * (key + value) for heads, key, value in self.shapes) * self.dtype.itemsize

    def open(self, lane: str, room: int) -> Slot:
        """An empty slot with room for so many places."""
        capacity = _LEAST_CAPACITY
        while capacity < room:
            capacity *= 2
        shelf = self.shelves.setdefault(capacity, Shelf(capacity))
        slot = Slot(shelf, len(shelf.slots), lane)
        try:
            self._resize(shelf, len(shelf.slots) + 1)
        finally:
            if not shelf.slots and not shelf.keys:
                self.shelves.pop(capacity, None)
        shelf.slots.append(slot)
        return slot

    def close(self, slot: Slot) -> None:
        """Give a slot back; the last row of the shelf takes its place."""
        shelf = slot.shelf
        last = shelf.slots.pop()
        if last is not slot:
            for tensors in (shelf.keys, shelf.values):
                for one in tensors:
                    one[slot.row, :, :last.length] = one[last.row, :, :last.length]
            last.row = slot.row
            shelf.slots[slot.row] = last
        self._resize(shelf, len(shelf.slots))

    def reserve(self, slot: Slot, places: int) -> None:
        """Make room for so many places; the slot may move to another shelf."""
        if places <= slot.shelf.capacity:
            return
        made = self.open(slot.lane, places)
        self._copy(slot, made, slot.length)
        old, old_row = slot.shelf, slot.row
        slot.shelf, slot.row = made.shelf, made.row
        made.shelf.slots[made.row] = slot
        leaving = Slot(old, old_row, slot.lane)
        old.slots[old_row] = leaving
        self.close(leaving)

    def fork(self, slot: Slot) -> Slot:
        """A second slot with the same content."""
        made = self.open(slot.lane, slot.shelf.capacity)
        self._copy(slot, made, slot.length)
        made.before, made.length = slot.before, slot.length
        return made

    def take(self, slot: Slot) -> Copied:
        """A copy of the content, as large as that and no larger."""
        seen = self.view(slot)
        return Copied(slot.lane, [one.clone() for one in seen.keys], [one.clone() for one in seen.values], slot.before)

    def view(self, slot: Slot) -> Copied:
        """The content as it stands in the shelf, not copied; true until the next step."""
        keys = [one[slot.row, :, :slot.length] for one in slot.shelf.keys]
        values = [one[slot.row, :, :slot.length] for one in slot.shelf.values]
        return Copied(slot.lane, keys, values, slot.before)

    def fill(self, slot: Slot, keys: Sequence[Tensor], values: Sequence[Tensor], places: int) -> None:
        """Lay the first `places` of some keys and values into an empty slot."""
        for into, what in ((slot.shelf.keys, keys), (slot.shelf.values, values)):
            for layer, one in zip(into, what, strict=True):
                layer[slot.row, :, :places] = one[:, :places]
        slot.length = places

    def _copy(self, source: Slot, target: Slot, places: int) -> None:
        for one, other in zip((*source.shelf.keys, *source.shelf.values), (*target.shelf.keys, *target.shelf.values),
                              strict=True):
            other[target.row, :, :places] = one[source.row, :, :places]

    def _resize(self, shelf: Shelf, rows: int) -> None:
        """Room for `rows`: doubled when short, halved when a quarter would do, none when the shelf is empty."""
        there = shelf.keys[0].shape[0] if shelf.keys else 0
        if rows == 0:
            shelf.keys, shelf.values = [], []
            self.shelves.pop(shelf.capacity, None)
        elif rows > there or rows * 4 <= there:
            wanted = max(rows, there * 2) if rows > there else there // 2
            kept = min(len(shelf.slots), there)
            keys = [self._grown(heads, dim, shelf.capacity, wanted) for heads, dim, _ in self.shapes]
            values = [self._grown(heads, dim, shelf.capacity, wanted) for heads, _, dim in self.shapes]
            longest = max((slot.length for slot in shelf.slots), default=0)
            for new, old in zip((*keys, *values), (*shelf.keys, *shelf.values), strict=False):
                new[:kept, :, :longest] = old[:kept, :, :longest]
            shelf.keys, shelf.values = keys, values

    def _grown(self, heads: int, dim: int, capacity: int, rows: int) -> Tensor:
        return torch.zeros(rows, heads, capacity, dim, dtype=self.dtype, device=self.device)
