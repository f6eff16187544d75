"""How a dataset row is read (catalogue key `formatting`), one file a format; each turns a row into a Sample.

A format's module has `ORDER`, `recognises(columns) -> bool` and `read(row, columns) -> Sample`; `read` raises
`Unusable(reason)` for a row that teaches nothing.
"""

from __future__ import annotations


class Unusable(Exception):
    """A row that cannot become a Sample; `reason` is a stable code under `data.skipped.<reason>`."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
