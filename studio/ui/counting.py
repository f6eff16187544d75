"""How many rows sets have, as far as that is known or quickly counted; nobody waits for a large one to be read."""

from __future__ import annotations

import time
from collections.abc import Callable

from studio.data.catalogue import Entry, count_rows, sources_of

_MOST_BYTES = 30_000_000
_MOST_KEPT = 4000
_COUNTED: dict[tuple[str, str, int, int], int] = {}


class Counting:
    """One look at many sets: what is not known yet is counted until `seconds` are over."""

    def __init__(self, seconds: float = 0.15, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._until = clock, clock() + seconds

    def rows(self, entry: Entry) -> int | None:
        """How many rows; None when nobody has counted them and there is no time to.

        Raises OSError for files that are gone, StudioError for what cannot be read.
        """
        if entry.path is None:
            return None
        stat = entry.path.stat()
        key = (entry.name, str(entry.path), stat.st_size, stat.st_mtime_ns)
        if key in _COUNTED:
            return _COUNTED[key]
        if self._clock() > self._until or size(entry) > _MOST_BYTES:
            return None
        if len(_COUNTED) >= _MOST_KEPT:
            _COUNTED.clear()
        _COUNTED[key] = count_rows(entry)
        return _COUNTED[key]


def size(entry: Entry) -> int:
    """The bytes of a set's files; raises OSError for files that are gone."""
    if entry.path is None:
        return 0
    return entry.path.stat().st_size if entry.path.is_file() else sum(source.size for source in sources_of(entry))
