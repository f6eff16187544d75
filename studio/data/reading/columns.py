"""Rows out of columns (parquet, arrow files and streams), a few hundred in memory at a time."""

from __future__ import annotations

import base64
import datetime
import decimal
import io
from collections.abc import Iterator
from typing import IO, Any

from studio.data.reading.told import Told

BATCH_ROWS = 256


def rows(file: IO[bytes], kind: str, told: Told) -> Iterator[tuple[int, dict[str, Any]]]:
    """Every row with its number from 1, in values that JSON can spell; raises InputError dataset_broken."""
    import pyarrow

    number = 0
    try:
        for share, batch in _batches(file, kind):
            told.so_far(share)
            for row in _in_batch(batch):
                number += 1
                if row is None:
                    told.skip(number, "bad_bytes")
                else:
                    yield number, row
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError, OverflowError, KeyError) as error:
        # a damaged length asks for more memory than there is
        raise told.error(number + 1, str(error).partition("\n")[0] or type(error).__name__) from error


def _batches(file: IO[bytes], kind: str) -> Iterator[tuple[float, Any]]:
    """Some rows at a time, after which share of all lies behind."""
    from pyarrow import ipc, parquet

    if kind == "parquet":
        table, behind = parquet.ParquetFile(file), 0
        for batch in table.iter_batches(BATCH_ROWS):
            yield behind / table.metadata.num_rows, batch
            behind += batch.num_rows
        return
    size, start = file.seek(0, io.SEEK_END), file.seek(0)
    is_file = file.read(6) == b"ARROW1"
    file.seek(start)
    if is_file:
        reader = ipc.open_file(file)
        count = reader.num_record_batches
        whole = ((place / count, reader.get_batch(place)) for place in range(count))
    else:
        whole = ((file.tell() / size, batch) for batch in ipc.open_stream(file))
    for share, batch in whole:
        for start_row in range(0, batch.num_rows, BATCH_ROWS):
            yield share, batch.slice(start_row, BATCH_ROWS)


def _in_batch(batch: Any) -> Iterator[dict[str, Any] | None]:
    """The rows of a batch; None for one with text that is not UTF-8.

    Whatever comes from a file is validated first: a damaged offset would otherwise be read from beyond the memory.
    """
    import pyarrow

    try:
        batch.validate(full=True)
        found = batch.to_pylist()
    except pyarrow.ArrowInvalid:
        found = [one for place in range(batch.num_rows) for one in _alone(batch.slice(place, 1))]
    if _is_plain(batch.schema):
        yield from found
    else:
        yield from (None if row is None else _spelled(row) for row in found)


def _alone(row: Any) -> list[dict[str, Any] | None]:
    import pyarrow

    try:
        row.validate(full=True)
        return row.to_pylist()
    except pyarrow.ArrowInvalid:
        return [None]


def _is_plain(schema: Any) -> bool:
    """Whether all columns are text, numbers and yes or no, as they mostly are."""
    from pyarrow import types

    return all(types.is_string(one) or types.is_large_string(one) or types.is_integer(one) or types.is_floating(one)
               or types.is_boolean(one) for one in schema.types)


def _spelled(value: Any) -> Any:
    """A value as JSON can spell it: times as ISO 8601, bytes as text or, where they are none, in base64."""
    if isinstance(value, dict):
        return {str(name): _spelled(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_spelled(one) for one in value]
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, datetime.timedelta | decimal.Decimal):
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode("utf-8")
        except UnicodeDecodeError:
            return base64.b64encode(value).decode("ascii")
    return value
