"""Whom a reader tells: how far it is, and which lines it had to leave out."""

from __future__ import annotations

from collections.abc import Callable

from studio.data.reading.stream import Stream
from studio.errors import InputError

At = Callable[[int], None]
Broken = Callable[[int, str, str], None]


class Told:
    """The listeners of one reading."""

    def __init__(self, stream: Stream, at: At | None, broken: Broken | None) -> None:
        self.stream, self.at, self.broken = stream, at, broken
        self.name = stream.source.name

    def here(self) -> None:
        """Tell the position."""
        if self.at:
            self.at(self.stream.position())

    def so_far(self, share: float) -> None:
        """Tell the position of what is not read from its first byte to its last: a share of the size."""
        if self.at:
            self.at(round(self.stream.source.size * min(share, 1.0)))

    def skip(self, line: int, code: str, detail: str = "") -> None:
        """Tell that a line is left out; raises InputError dataset_broken when nobody listens."""
        if self.broken is None:
            raise self.error(line, detail if code == "broken_line" else f"@data.skipped.{code}")
        self.broken(line, code, detail)

    def error(self, line: int, reason: str) -> InputError:
        """The error for what cannot be read on from a line."""
        return InputError("dataset_broken", path=self.name, line=line, reason=reason)
