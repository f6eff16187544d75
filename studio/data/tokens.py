"""TokenRows: tokenised rows on disk, memory-mapped, with their trained places."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studio.data.chat import labels_of

IDS, SPANS = "ids", "spans"


class TokenRows:
    """Rows of token ids and labels; reading one touches only its own pages of the file."""

    def __init__(self, tables: Sequence[Any], index: np.ndarray | None = None) -> None:
        """Rows of Arrow tables one after the other; `index` chooses and orders some of them."""
        self._chunks = [_Chunk(batch) for table in tables for batch in table.to_batches() if batch.num_rows]
        self._starts = np.cumsum([0, *(chunk.rows for chunk in self._chunks)])
        self._index = np.arange(self._starts[-1]) if index is None else np.asarray(index, np.int64)
        lengths = [chunk.lengths for chunk in self._chunks]
        self.lengths: np.ndarray = (np.concatenate(lengths) if lengths else np.zeros(0, np.int64))[self._index]

    def __len__(self) -> int:
        return len(self._index)

    def row(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        """(ids, labels) of a row, both int32; labels stand at the same places as ids, -100 is not trained."""
        at = int(self._index[place])
        chunk = int(np.searchsorted(self._starts, at, side="right")) - 1
        return self._chunks[chunk].row(at - int(self._starts[chunk]))

    def largest_id(self) -> int:
        """The largest token id in the files of these rows, -1 without rows."""
        return max((int(chunk.ids.max(initial=-1)) for chunk in self._chunks), default=-1)

    def select(self, places: np.ndarray) -> TokenRows:
        """The rows at these places, in this order, over the same files."""
        found = object.__new__(TokenRows)
        found._chunks, found._starts = self._chunks, self._starts
        found._index, found.lengths = self._index[places], self.lengths[places]
        return found


class _Chunk:
    """One Arrow batch as numpy views of its buffers."""

    def __init__(self, batch: Any) -> None:
        self.rows: int = batch.num_rows
        self.ids, self.id_starts = _views(batch.column(IDS))
        self.spans, self.span_starts = _views(batch.column(SPANS))

    @property
    def lengths(self) -> np.ndarray:
        return np.diff(self.id_starts).astype(np.int64)

    def row(self, place: int) -> tuple[np.ndarray, np.ndarray]:
        ids = self.ids[self.id_starts[place]:self.id_starts[place + 1]]
        spans = self.spans[self.span_starts[place]:self.span_starts[place + 1]].reshape(-1, 2)
        return ids, labels_of(ids, spans)


def _views(column: Any) -> tuple[np.ndarray, np.ndarray]:
    return column.values.to_numpy(zero_copy_only=True), column.offsets.to_numpy(zero_copy_only=True)


class RowWriter:
    """Writes tokenised rows to an Arrow file batch by batch; memory holds one batch."""

    def __init__(self, path: Path) -> None:
        import pyarrow as pa

        kind = pa.list_(pa.int32())
        self._file = pa.OSFile(str(path), "wb")
        self._writer = pa.ipc.new_file(self._file, pa.schema([(IDS, kind), (SPANS, kind)]))

    def write(self, ids: list[list[int]], spans: list[list[int]]) -> None:
        """One batch of rows."""
        import pyarrow as pa

        if ids:
            self._writer.write_batch(pa.record_batch([_lists(ids), _lists(spans)], names=[IDS, SPANS]))

    def close(self) -> None:
        """Finish the file; raises OSError when the disk is full."""
        self._writer.close()
        self._file.close()


def _lists(rows: list[list[int]]) -> Any:
    import pyarrow as pa

    starts = np.zeros(len(rows) + 1, np.int32)
    np.cumsum([len(row) for row in rows], out=starts[1:])
    flat = np.fromiter((one for row in rows for one in row), np.int32, int(starts[-1]))
    return pa.ListArray.from_arrays(pa.array(starts), pa.array(flat))


def opened(path: Path) -> Any:
    """The Arrow table in a file, memory-mapped; raises OSError or pyarrow.ArrowInvalid for a damaged one."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()
