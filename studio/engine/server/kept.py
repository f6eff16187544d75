"""What finished rows leave behind: the keys and values of texts that a next request may begin with.

The second turn of a conversation begins with the first and its answer; only what is new is then computed.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Kept:
    """The keys and values of `ids` as a checkpoint computed them."""

    lane: str
    ids: NDArray[np.int64]
    content: Any
    bytes: int


class KeptTexts:
    """Texts by the time of their last use, within `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._kept: OrderedDict[int, Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def wants(self, lane: str, ids: Sequence[int], size: int) -> bool:
        """Whether a text is worth copying: it fits, and none that is kept already begins with it."""
        if size > self.most_bytes or not len(ids):
            return False
        new = np.asarray(ids, np.int64)
        return not any(one.lane == lane and common(one.ids, new) == len(new) for one in self._kept.values())

    def put(self, lane: str, ids: Sequence[int], content: Any, size: int) -> None:
        """Keep a text in place of those that are its beginnings; the longest unused ones go when room is short."""
        new = np.asarray(ids, np.int64)
        for key, one in list(self._kept.items()):
            if one.lane == lane and len(one.ids) <= len(new) and common(one.ids, new) == len(one.ids):
                self._drop(key)
        self._kept[id(new)] = Kept(lane, new, content, size)
        self.bytes += size
        self.shrink(self.most_bytes)

    def find(self, lane: str, ids: Sequence[int]) -> tuple[Kept | None, int]:
        """The text of a checkpoint that shares the longest beginning with `ids`, and how long that is."""
        wanted = np.asarray(ids, np.int64)
        best, length = None, 0
        for key, one in self._kept.items():
            if one.lane == lane and (shared := common(one.ids, wanted)) > length:
                best, length = key, shared
        if best is None:
            return None, 0
        self._kept.move_to_end(best)
        return self._kept[best], length

    def forget(self, lane: str) -> None:
        """Drop what a checkpoint computed; its weights are gone or others."""
        for key, one in list(self._kept.items()):
            if one.lane == lane:
                self._drop(key)

    def shrink(self, most: int) -> None:
        """Drop the longest unused texts until the rest fits into so many bytes."""
        while self.bytes > most and self._kept:
            self._drop(next(iter(self._kept)))

    def _drop(self, key: int) -> None:
        self.bytes -= self._kept.pop(key).bytes


def common_of(a: Sequence[int], b: Sequence[int]) -> int:
    """How many first ids two lists share."""
    if not a or not b or a[0] != b[0]:
        return 0
    return common(np.asarray(a, np.int64), np.asarray(b, np.int64))


def common(a: NDArray[np.int64], b: NDArray[np.int64]) -> int:
    """How many first ids two texts share."""
    length = min(len(a), len(b))
    different = np.flatnonzero(a[:length] != b[:length])
    return int(different[0]) if len(different) else length
