"""What an adapter changes in a tensor, applied to blocks of its rows, in PEFT's order of operations.

Every change has `apply(block, first, last)`: the float32 rows [first, last) as they are afterwards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from studio.exports.weights import numbers
from studio.exports.weights.files import Tensor

_NONE = np.empty(0, np.float32)
Blocks = Callable[[], Iterator[tuple[int, int, np.ndarray]]]


class Change(Protocol):
    """A change of one tensor."""

    def begin(self, before: Blocks) -> None:
        """Look at the tensor as it is before, where that is needed."""

    def apply(self, block: np.ndarray, first: int, last: int) -> np.ndarray:
        """The rows [first, last) afterwards; `block` may be used up."""

    def end(self) -> None:
        """Let go of what `begin` read."""


@dataclass
class LowRank:
    """`scale * B A` is added; `across` says that the tensor is stored as (in, out), as GPT-2's layers are, or is an
    embedding.
    """

    a: Tensor
    b: Tensor
    scale: float
    across: bool = False
    _factors: tuple[np.ndarray, np.ndarray] | None = None

    def begin(self, before: Blocks) -> None:
        """Read both factors, laid out so that a block of rows is one product."""
        a, b = self.a.whole(), self.b.whole()
        a, b = a.reshape(a.shape[0], -1), b.reshape(b.shape[0], -1)
        self._factors = (a.T, b.T) if self.across else (b, a)
        if math.frexp(self.scale)[0] == 0.5:  # a power of two: worked in beforehand, every bit is the same
            self._factors = self._factors[0] * np.float32(self.scale), self._factors[1]

    def _addition(self, first: int, last: int) -> np.ndarray:
        """What is added to the rows [first, last); valid until the next call."""
        assert self._factors is not None
        left, right = self._factors
        made = numbers.scratch.array("sum", (last - first, right.shape[1]), np.dtype(np.float32))
        np.matmul(left[first:last], right, out=made)
        if math.frexp(self.scale)[0] != 0.5:
            made *= np.float32(self.scale)
        return made

    def apply(self, block: np.ndarray, first: int, last: int) -> np.ndarray:
        """The rows with the addition."""
        block += self._addition(first, last).reshape(block.shape)
        return block

    def end(self) -> None:
        """Let go of them."""
        self._factors = None


@dataclass
class Dora:
    """The sum of weight and low-rank addition gets new lengths (Liu et al. 2024); `weight` < 1 goes part of the way."""

    low: LowRank
    magnitude: Tensor
    weight: float = 1.0
    _factor: np.ndarray = field(default_factory=lambda: _NONE)

    def begin(self, before: Blocks) -> None:
        """Where outputs are columns, measure their lengths in the sum; rows are measured block by block."""
        self.low.begin(before)
        if self.low.across:
            squares = sum(np.einsum("ij,ij->j", block, block, dtype=np.float64)
                          for block in (self.low.apply(block, *span) for *span, block in before()))
            self._factor = self.magnitude.whole().reshape(-1) / np.sqrt(squares).astype(np.float32)

    def apply(self, block: np.ndarray, first: int, last: int) -> np.ndarray:
        """The rows with their new lengths."""
        before = block.copy() if self.weight != 1 else None
        block = self.low.apply(block, first, last)
        block *= self._factor if self.low.across else self._lengthening(block, first, last)
        if before is None:
            return block
        block -= before
        block *= np.float32(self.weight)
        block += before
        return block

    def _lengthening(self, block: np.ndarray, first: int, last: int) -> np.ndarray:
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block, dtype=np.float64)).astype(np.float32)
        return (self.magnitude.floats(first, last).reshape(-1) / lengths)[:, None]

    def end(self) -> None:
        """Let go of them."""
        self.low.end()
        self._factor = _NONE


@dataclass
class Residue:
    """What PiSSA or OLoRA leaves of a weight when training begins: its main part, of the adapter's rank, is taken out,
    by OLoRA so often as the adapter's scale says (`orthogonal`, 0 for PiSSA).

    The whole matrix is decomposed, as PEFT does when it loads such an adapter (Meng et al. 2024; Buyukakyuz 2024).
    """

    rank: int
    across: bool
    orthogonal: float = 0.0
    _factors: tuple[np.ndarray, np.ndarray] | None = None

    def begin(self, before: Blocks) -> None:
        """Decompose the matrix."""
        whole = np.concatenate([block for _, _, block in before()])
        whole = whole.T if self.across else whole
        if self.orthogonal:
            left, right = np.linalg.qr(whole)
            main = left[:, :self.rank] * np.float32(self.orthogonal), right[:self.rank]
        else:
            left, sizes, right = np.linalg.svd(whole, full_matrices=False)
            main = left[:, :self.rank] * sizes[:self.rank], right[:self.rank]
        self._factors = (main[1].T, main[0].T) if self.across else main

    def apply(self, block: np.ndarray, first: int, last: int) -> np.ndarray:
        """The rows without the main part."""
        assert self._factors is not None
        block -= self._factors[0][first:last] @ self._factors[1]
        return block

    def end(self) -> None:
        """Let go of them."""
        self._factors = None


@dataclass
class Whole:
    """Another tensor stands in its place; `weight` < 1 goes part of the way."""

    tensor: Tensor
    weight: float = 1.0

    def replaces(self, old: tuple[int, ...]) -> bool:
        """Whether nothing of a tensor of this shape is left."""
        return self.weight == 1 or self.tensor.shape != old

    def begin(self, before: Blocks) -> None:
        """Nothing to look at."""

    def apply(self, block: np.ndarray, first: int, last: int) -> np.ndarray:
        """The rows on their way to the other tensor's."""
        found = self.tensor.floats(first, last)
        found -= block
        found *= np.float32(self.weight)
        found += block
        return found

    def end(self) -> None:
        """Nothing to let go of."""


@dataclass
class Rows:
    """Single rows are replaced (PEFT's trainable tokens)."""

    tensor: Tensor
    places: tuple[int, ...]
    weight: float = 1.0
    _rows: np.ndarray = field(default_factory=lambda: _NONE)

    def begin(self, before: Blocks) -> None:
        """Read the rows."""
        self._rows = self.tensor.whole()

    def apply(self, block: np.ndarray, first: int, last: int) -> np.ndarray:
        """The block with those of its rows that are replaced."""
        for number, place in enumerate(self.places):
            if first <= place < last:
                old = block[place - first]
                block[place - first] = old + np.float32(self.weight) * (self._rows[number] - old) \
                    if self.weight != 1 else self._rows[number]
        return block

    def end(self) -> None:
        """Let go of them."""
        self._rows = _NONE


@dataclass
class Addition:
    """A vector is added, times `scale` (a bias of LoRA's second matrix)."""

    tensor: Tensor
    scale: float

    def begin(self, before: Blocks) -> None:
        """Nothing to look at."""

    def apply(self, block: np.ndarray, first: int, last: int) -> np.ndarray:
        """The rows with the addition."""
        block += self.tensor.floats(first, last) * np.float32(self.scale)
        return block

    def end(self) -> None:
        """Nothing to let go of."""
