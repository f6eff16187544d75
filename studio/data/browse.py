"""Browsing a dataset of any size: pages, jumps, search, a filter by row numbers, an order by length.

Nothing but the rows that are shown is read, save by a search and, once, to measure the rows' lengths.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from studio.data import places, recognise, search, walk
from studio.data.catalogue import Entry
from studio.data.edits import ADDED, Draft
from studio.data.index import RowIndex, Stop, Tell
from studio.data.walk import Place
from studio.errors import InputError, StopAsked
from studio.plugins.formats import Unusable
from studio.sample import Sample
from studio.workspace import Workspace

ORDERS = ("", "longest", "shortest")
LENGTHS = "lengths.npy"


@dataclass(frozen=True)
class View:
    """Which rows are shown and in which order; `only` are row numbers or an .npy file of them, `order` is of ORDERS."""

    only: Path | Sequence[int] | None = None
    order: str = ""


WHOLE = View()


@dataclass(frozen=True)
class Row:
    """One row as the page shows it.

    `raw` is the row (None for what is none), `text` how it reads as JSON, `sample` what training would have of it,
    `skipped` a code under `data.skipped` when it would have nothing; `state` says whether the draft has edited, deleted
    or added it, `before` is an edited row as it was.
    """

    place: Place
    raw: Any
    text: str
    sample: Sample | None
    skipped: str = ""
    state: str = ""
    before: Any = None


class Browser:
    """The rows of one dataset or version, with a draft's edits laid over them if there is one."""

    def __init__(self, entry: Entry, index: RowIndex, draft: Draft | None = None) -> None:
        self.entry, self.index, self.draft = entry, index, draft
        self._readers: dict[int, Callable[[Any], Sample] | None] = {}

    @classmethod
    def of(cls, entry: Entry, workspace: Workspace, draft: Draft | None = None, tell: Tell | None = None,
           should_stop: Stop | None = None) -> Browser:
        """The rows of an entry, indexed if they were not; raises what `RowIndex.of` raises."""
        return cls(entry, RowIndex.of(entry, workspace.cache, tell, should_stop), draft)

    def numbers(self, view: View = WHOLE) -> Sequence[int]:
        """The numbers of the rows in a view, in its order; what the draft adds stands at the end of a whole view."""
        if view.only is None and not view.order:
            added = list(self.draft.edits.added) if self.draft else []
            return _Joined(range(self.index.rows), added) if added else range(self.index.rows)
        chosen = np.arange(self.index.rows) if view.only is None else _chosen(view.only, self.index.rows)
        if view.order:
            lengths = self.lengths()[chosen]
            chosen = chosen[np.argsort(-lengths if view.order == "longest" else lengths, kind="stable")]
        return chosen  # type: ignore[return-value]

    def count(self, view: View = WHOLE) -> int:
        """How many rows a view has."""
        return len(self.numbers(view))

    def page(self, view: View = WHOLE, page: int = 0, size: int = 20) -> list[Row]:
        """The rows of a page, counted from 0."""
        if not self.index.fresh:
            raise InputError("dataset_changed", path=self.entry.name)
        return [self.row(int(number)) for number in self.numbers(view)[page * size:(page + 1) * size]]

    def page_of(self, number: int, view: View = WHOLE, size: int = 20) -> int | None:
        """The page of a view on which a row stands; None when it is not in the view."""
        numbers = self.numbers(view)
        if isinstance(numbers, range):
            return number // size if number in numbers else None
        found = np.flatnonzero(np.asarray(numbers) == number)
        return int(found[0]) // size if len(found) else None

    def row(self, number: int) -> Row:
        """One row, as the draft has it."""
        if number < 0:
            if self.draft is None or number not in self.draft.edits.added:
                raise IndexError(number)
            return self._row(Place(self.entry.name, 0, number), self.draft.edits.added[number].row, ADDED)
        place, (raw, why) = self.index.place(number), self.index.understood(number)
        state = self.draft.state(number) if self.draft else ""
        if self.draft and number in self.draft.edits.changed:
            return self._row(place, self.draft.edits.changed[number], state, "", raw)
        return self._row(place, raw, state, why)

    def search(self, words: str, pattern: bool = False, any_case: bool = True, tell: Tell | None = None,
               should_stop: Stop | None = None) -> Iterator[list[int]]:
        """The numbers of the rows in which the words, or a regular expression, occur, as they are found.

        Rows that the draft edits or adds are searched as the draft has them. Raises what `search.search` raises.
        """
        edits = self.draft.edits if self.draft else None
        instead = {**edits.changed, **{number: one.row for number, one in edits.added.items()}} if edits else {}
        return search.search(self.index, words, pattern, any_case, instead, tell, should_stop)

    def lengths(self, tell: Tell | None = None, should_stop: Stop | None = None) -> np.ndarray:
        """The characters of every row's words, counted once and kept beside the index."""
        kept = self.index.folder / LENGTHS
        if kept.is_file():
            return np.load(kept, mmap_mode="r")
        lengths = np.zeros(self.index.rows, np.int64)
        for first, rows, spelling in self.index.blocks():
            for number, row in enumerate(places.parsed(rows, spelling), first):
                lengths[number] = len(search.text_of(row))
            if tell:
                tell(first + len(rows), self.index.rows)
            if should_stop and should_stop():
                raise StopAsked("measuring")
        _keep(kept, lengths)
        return lengths

    def _row(self, place: Place, raw: Any, state: str, why: str = "", before: Any = None) -> Row:
        understood = why or self._understood(place.number, raw)
        text = json.dumps(raw, ensure_ascii=False, indent=2)
        sample = understood if isinstance(understood, Sample) else None
        return Row(place, raw, text, sample, understood if isinstance(understood, str) else "", state, before)

    def _understood(self, number: int, raw: Any) -> Sample | str:
        """What training would have of a row: its sample, or why there is none."""
        part = self.index.part(max(number, 0)) if self.index.rows else None
        first = part.first if part else 0
        if first not in self._readers:
            rows = range(first, first + min(walk.LOOKED_AT, part.rows)) if part else range(0)
            self._readers[first] = recognise.reader(self.entry, [self.index.row(one)[1] for one in rows])
        understand = self._readers[first]
        if understand is None:
            return walk.UNRECOGNISED if isinstance(raw, dict) else "not_an_object"
        try:
            return understand(raw)
        except Unusable as why:
            return why.reason


def _keep(path: Path, array: np.ndarray) -> None:
    """Keep an array beside an index, in one instant; an index that was cleared away or a full disk keeps nothing."""
    aside = path.with_name(f".{os.getpid()}.{path.name}")
    with suppress(OSError):
        np.save(aside, array)
        os.replace(aside, path)


def _chosen(only: Path | Sequence[int], rows: int) -> np.ndarray:
    found = np.load(only, mmap_mode="r") if isinstance(only, Path) else np.asarray(only, np.int64)
    return found[(found >= 0) & (found < rows)]


class _Joined(Sequence[int]):
    """Numbers one after the other without a copy of the first, of which there may be millions."""

    def __init__(self, first: range, more: Sequence[int]) -> None:
        self.first, self.more = first, more

    def __len__(self) -> int:
        return len(self.first) + len(self.more)

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[place] for place in range(*at.indices(len(self)))]
        return self.first[at] if at < len(self.first) else self.more[at - len(self.first)]
