"""Rows of a large set: the index and a long search are made by jobs; small sets are looked through at once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from typing import Any

from studio.ui.markup import Html
from studio.ui.tabs.data import work
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

_MOST_FOUND = 200_000


def working(visit: Visit) -> Html | None:
    """How far the index of a large set is; None when its rows can be shown."""
    return None


def search(visit: Visit, words: str) -> Place:
    """The place with the rows that hold the words; all rows for no words."""
    if not words:
        return visit.place.keep("rows", only=None, words="", why="", page=0)
    from studio.ui.tabs.data.rows import opened

    found = list(chain.from_iterable(opened(visit).search(words)))[:_MOST_FOUND]
    return visit.place.keep("rows", only=found, words=words, why="", page=0)


ACTIONS: Mapping[str, Any] = {**work.ACTIONS}
