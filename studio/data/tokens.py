"""TokenRows: tokenised rows on disk, memory-mapped, with their trained places.

A folder of rows holds flat files of numbers, one row after the other:

    lengths.i32       how many tokens each row has
    codes.u16         the tokens as places in the table, two bytes each, as long as the table has room
    table.i32         the token ids that occur, in the order in which they came; codes know the first 65,536
    ids.i32           the tokens of the rows behind, as they are, once more than 65,536 different ones have come
    span_counts.i32   how many trained spans each row has
    spans.i32         their [start, end) places

Data in two or three scripts uses a fraction of a large vocabulary, so that two bytes a token nearly always do.
"""

from __future__ import annotations

import mmap
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

LENGTHS, CODES, TABLE, IDS = "lengths.i32", "codes.u16", "table.i32", "ids.i32"
SPAN_COUNTS, SPANS = "span_counts.i32", "spans.i32"
_NUMBERS = {".i32": np.dtype("<i4"), ".u16": np.dtype("<u2")}
_ROOM = 1 << 16
_BLOCK = 256


class Stored:
    """The rows of one folder; reading one touches only its own pages of the files."""

    def __init__(self, folder: Path) -> None:
        """Raises OSError or ValueError when the files are missing or do not fit each other."""
        self.lengths, span_counts = _mapped(folder / LENGTHS), _mapped(folder / SPAN_COUNTS)
        self._codes, self._ids, self._spans = (_mapped(folder / name) for name in (CODES, IDS, SPANS))
        self._table = np.array(_mapped(folder / TABLE))
        self._starts = _Starts(self.lengths)
        self._span_starts = _Starts(span_counts)
        self.largest_id = int(self._table.max(initial=-1))
        tokens, spans = self._starts.total, self._span_starts.total
        if (len(span_counts), len(self._codes) + len(self._ids), len(self._spans)) != (len(self), tokens, 2 * spans):
            raise ValueError(f"{folder} is damaged")

    def __len__(self) -> int:
        return len(self.lengths)

    def row(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """(ids, labels) of a row, both int32."""
        from studio.data.mask import labels_of  # knows the template language, which a mere look does not need

        start, end = self._starts[place]
        narrow = len(self._codes)
        ids = self._table[self._codes[start:end]] if start < narrow else self._ids[start - narrow:end - narrow]
        first, last = self._span_starts[place]
        return ids, labels_of(ids, self._spans[2 * first:2 * last].reshape(-1, 2))


class _Starts:
    """Where each row begins, from the lengths of all: kept for every 256th, added up for the others."""

    def __init__(self, lengths: np.ndarray) -> None:
        blocks = np.add.reduceat(lengths, np.arange(0, len(lengths), _BLOCK), dtype=np.int64) if len(lengths) else []
        self._lengths = lengths
        self._blocks = np.concatenate([[0], np.cumsum(blocks, dtype=np.int64)]).astype(np.int64)
        self.total = int(self._blocks[-1])

    def __getitem__(self, place: int) -> tuple[int, int]:
        """(start, end) of a row."""
        block = place // _BLOCK
        start = int(self._blocks[block]) + int(self._lengths[block * _BLOCK:place].sum(dtype=np.int64))
        return start, start + int(self._lengths[place])


class TokenRows:
    """Rows of token ids and labels out of one or several folders."""

    def __init__(self, stored: Sequence[Stored], index: np.ndarray | None = None) -> None:
        """The rows of folders one after the other; `index` chooses, orders and repeats some of them."""
        self._stored = list(stored)
        self._starts = np.cumsum([0, *map(len, stored)])
        self._index = np.arange(self._starts[-1]) if index is None else np.asarray(index, np.int64)
        lengths = [one.lengths for one in stored]
        self.lengths: np.ndarray = (np.concatenate(lengths) if lengths else np.zeros(0, np.int32))[self._index]

    def __len__(self) -> int:
        return len(self._index)

    def row(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """(ids, labels) of a row, both int32; labels stand at the same places as ids, -100 is not trained."""
        at = int(self._index[place])
        part = int(np.searchsorted(self._starts, at, side="right")) - 1
        return self._stored[part].row(at - int(self._starts[part]))

    def largest_id(self) -> int:
        """The largest token id in the files of these rows, -1 without rows."""
        return max((one.largest_id for one in self._stored), default=-1)

    def select(self, places: np.ndarray) -> TokenRows:
        """The rows at these places, in this order, over the same files."""
        found = object.__new__(TokenRows)
        found._stored, found._starts = self._stored, self._starts
        found._index, found.lengths = self._index[places], self.lengths[places]
        return found


class RowWriter:
    """Writes tokenised rows into a folder batch by batch and counts their tokens; memory holds one batch."""

    def __init__(self, folder: Path) -> None:
        """`folder` is there; raises OSError when nothing can be written in it."""
        self._open = ExitStack()
        self._files = {name: self._open.enter_context((folder / name).open("wb"))
                       for name in (LENGTHS, CODES, TABLE, IDS, SPAN_COUNTS, SPANS)}
        self._codes = _Codes()
        self.tokens = self.trained = 0

    def write(self, ids: Sequence[Sequence[int]], spans: Sequence[Sequence[int]]) -> None:
        """One batch of rows: the ids of each, and its spans as start, end, start, end …"""
        if not ids:
            return
        flat, ends = _flat(ids), _flat(spans)
        codes = self._codes.of(flat)
        self.tokens += len(flat)
        self.trained += int(ends[1::2].sum(dtype=np.int64) - ends[::2].sum(dtype=np.int64))
        self._put(LENGTHS, [len(row) for row in ids])
        self._put(IDS, flat) if codes is None else self._put(CODES, codes)
        self._put(SPAN_COUNTS, [len(row) // 2 for row in spans])
        self._put(SPANS, ends)

    def _put(self, name: str, numbers: Any) -> None:
        self._files[name].write(np.asarray(numbers, _NUMBERS[name[-4:]]).tobytes())

    def close(self) -> None:
        """Finish the files; raises OSError when the disk is full."""
        with self._open:
            self._put(TABLE, self._codes.table())


class _Codes:
    """Gives every token id that comes a number of two bytes, until there are too many."""

    def __init__(self) -> None:
        self._code_of = np.full(1 << 17, -1, np.int32)
        self._fresh: list[np.ndarray] = []
        self._known = 0

    def of(self, ids: np.ndarray) -> np.ndarray | None:
        """The codes of ids; None from the batch on that has no room."""
        most = int(ids.max(initial=-1))
        if most >= len(self._code_of):
            more = np.full(most + 1 - len(self._code_of), -1, np.int32)
            self._code_of = np.concatenate([self._code_of, more])
        codes = self._code_of[ids]
        missing = codes < 0
        if missing.any():
            fresh = np.unique(ids[missing])
            self._code_of[fresh] = np.arange(self._known, self._known + len(fresh))
            self._fresh.append(fresh)
            self._known += len(fresh)
            codes = self._code_of[ids]
        return codes if self._known <= _ROOM else None

    def table(self) -> np.ndarray:
        """The id of every code."""
        return np.concatenate([np.zeros(0, np.int32), *self._fresh])


def _flat(rows: Sequence[Sequence[int]]) -> np.ndarray:
    return np.fromiter(chain.from_iterable(rows), np.int32, sum(map(len, rows)))


def _mapped(path: Path) -> np.ndarray:
    """The numbers in a file, mapped; the mapping outlives the file's name."""
    kind = _NUMBERS[path.suffix]
    with open(path, "rb") as file:
        size = path.stat().st_size
        if not size:
            return np.zeros(0, kind)
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ), kind)
