"""How a dataset row is read (catalogue key `formatting`), one file a format; each turns a row into a Sample.

A format's module has
    ORDER                                   its place when a format is looked for
    recognises(row) -> bool                 whether a row without a catalogue's word looks like this format
    reader(columns, tags) -> (row) -> Sample
                                            the reading function for the catalogue's `columns` and `tags`; it raises
                                            `Unusable(reason)` for a row that teaches nothing
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
