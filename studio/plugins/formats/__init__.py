"""How a dataset row is read (catalogue key `formatting`), one file a format; each turns a row into a Sample.

A format's module has
    ORDER                                   its place when a format is looked for
    KIND                                    what its rows become, one of studio.sample.KINDS
    COLUMNS                                 the roles a column can be mapped to, as the catalogue's `columns` calls them
    recognises(row) -> bool                 whether a row without a catalogue's word looks like this format
    columns_of(row) -> dict                 which column of this row has which role, as `reader` takes it by itself
    reader(columns, tags) -> (row) -> Sample
                                            the reading function for the catalogue's `columns` and `tags`; it raises
                                            `Unusable(reason)` for a row that teaches nothing. Columns given are the
                                            whole mapping: a role that they leave out, or leave empty, is not there.
                                            Without any, the format's own names are looked for in every row
    write(sample) -> row                    if it can be written: the row that reads as this sample, Unusable when the
                                            format has no place for something in it
Only ORDER, recognises and reader are needed; the others may be left out.
"""

from __future__ import annotations

from typing import Any


class Unusable(Exception):
    """A row that cannot become a Sample; `reason` is a stable code under `data.skipped.<reason>`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def words(value: Any) -> str:
    """The text in a cell: a string as it is, nothing as "", a number as written; Unusable for anything else."""
    if type(value) is str:
        return value
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Unusable("wrong_type")
    return str(value)
