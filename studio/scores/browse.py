"""Browsing predictions of any number: rows side by side by models, in buckets, sorted, filtered, searched, paged.

Of each line sixty bytes are kept in memory; a text is read when its page is shown.
"""

from __future__ import annotations

import os
import threading
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from studio.data.search import Sieve
from studio.errors import InputError, StopAsked
from studio.scores import compare
from studio.scores.predictions import BLOCK_BYTES, Prediction, lines, number, of_plain, parsed

ORDERS = ("row", "score", "change", "length", "tokens", "seconds")
Stop = Callable[[], bool]


@dataclass(frozen=True)
class View:
    """Which rows are shown and in which order.

    `models` stand side by side, the first is what the last is compared with; none: all. `bucket` is of BUCKETS (or
    unknown), by `metric` and its `threshold`; `finish` is how the last model's answer ended. The orders but row and
    change go by the last model.
    """

    models: tuple[str, ...] = ()
    metric: str = ""
    threshold: float | None = None
    bucket: str = ""
    finish: str = ""
    words: str = ""
    order: str = "row"
    down: bool = False


@dataclass(frozen=True)
class Shown:
    """One row: its bucket ("" without two models) and what each model answered, None where it has not yet."""

    row: int
    bucket: str
    answers: Mapping[str, Prediction | None]


@dataclass(frozen=True)
class Page:
    """Some rows of a view, how many it has, and how many each bucket would have."""

    rows: tuple[Shown, ...]
    total: int
    counts: Mapping[str, int]


class Predictions:
    """The predictions of a file, also while it grows; `look` takes in what is new.

    `rows` are the numbers of all rows, ascending; `models` stand in the order of the file; `broken` counts lines that
    are no predictions.
    """

    _mark: tuple[int, int]
    _size: int
    _time: int
    _read: int
    _starts: array[int]
    _ends: array[int]

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()  # a page is made of one state, whoever takes in new lines meanwhile
        self._forget()
        self.look()

    def look(self) -> bool:
        """Take in what was written since; whether there was anything. A file that was replaced is read anew."""
        with self._lock:
            return self._looked()

    def _looked(self) -> bool:
        try:
            stat = os.stat(self.path)
        except OSError:
            is_new = bool(self._starts)
            self._forget()
            return is_new
        mark = (stat.st_ino, stat.st_dev)
        is_new = False
        if mark != self._mark or stat.st_size < self._read:
            is_new = bool(self._starts)
            self._forget()
        elif (stat.st_size, stat.st_mtime_ns) == (self._size, self._time):
            return False
        self._mark, self._size, self._time = mark, stat.st_size, stat.st_mtime_ns
        before = self._read
        self._take()
        if self._read == before:
            return is_new
        self._lay()
        return True

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that any line has."""
        return tuple(self._scores)

    def scores(self, model: str, metric: str) -> np.ndarray:
        """The scores of a model in the order of `rows`; NaN where there is none."""
        return self._aligned(model, self._columns.get(metric))

    def figures(self, model: str, name: str) -> np.ndarray:
        """`length` (characters of the answer), `tokens` or `seconds`, in the order of `rows`; NaN where none."""
        return self._aligned(model, self._columns[f"\0{name}"])

    def has(self, model: str, row: int) -> bool:
        """Whether a model has answered a row."""
        return self._line(model, row) >= 0

    def answered(self, model: str) -> np.ndarray:
        """The numbers of the rows that a model has answered, ascending."""
        return self.rows[self._table[model] >= 0] if model in self._table else np.zeros(0, np.int64)

    def endings(self, model: str) -> dict[str, int]:
        """How many of a model's answers ended in which way."""
        ways = self._aligned(model, self._columns["\0finish"])
        return {name: count for name, way in self._ways.items() if (count := int((ways == way).sum()))}

    def prediction(self, model: str, row: int) -> Prediction | None:
        """What a model answered to a row, if it did; raises InputError predictions_changed for another file."""
        line = self._line(model, row)
        return self._at(line) if line >= 0 else None

    def buckets(self, view: View) -> compare.Buckets | None:
        """The bucket of every row of `rows`; None without two models and a metric."""
        models = view.models or self.models
        if len(models) < 2 or not view.metric:
            return None
        one, other = (self.scores(name, view.metric) for name in (models[0], models[-1]))
        threshold = view.threshold
        if threshold is None:
            threshold = compare.threshold_of(view.metric, one, other)
        return compare.buckets(one, other, threshold, compare.is_higher(view.metric))

    def page(self, view: View, first: int = 0, count: int = 50, should_stop: Stop | None = None) -> Page:
        """Some rows of a view; raises InputError predictions_changed, StopAsked."""
        with self._lock:
            return self._page(view, first, count, should_stop)

    def _page(self, view: View, first: int, count: int, should_stop: Stop | None) -> Page:
        found = self._found(view, should_stop)
        parts = self.buckets(view)
        counts = {}
        if parts is not None:
            counts = replace(parts, codes=parts.codes[found]).counts
            if view.bucket:
                found = found[parts.codes[found] == compare.ALL_BUCKETS.index(view.bucket)]
        found = self._sorted(found, view)
        shown = [self.shown(int(place), view, parts) for place in found[max(0, first):max(0, first) + count]]
        return Page(tuple(shown), len(found), counts)

    def search(self, words: str, models: Sequence[str] = (), should_stop: Stop | None = None) -> Iterator[np.ndarray]:
        """The places (in `rows`) of rows whose question, reference or answer holds the words, as they are found.

        Upper and lower case are the same; some megabytes are read at a time.
        """
        wanted = np.zeros(len(self.models), bool)
        wanted[[self.models.index(name) for name in models or self.models if name in self._table]] = True
        sieve, low, seen = Sieve(words), words.lower(), np.zeros(len(self.rows), bool)
        place_of, model_of = self._place_of, self._model_of
        for first, data, begins, ends in self._blocks(len(place_of)):
            if should_stop and should_stop():
                raise StopAsked("searching")
            found = set()
            for line in self._perhaps(data, begins, sieve):
                place = int(place_of[first + line])
                if wanted[model_of[first + line]] and not seen[place] \
                        and _says(data[begins[line]:ends[line]], low):
                    seen[place] = True
                    found.add(place)
            yield np.array(sorted(found), np.int64)

    @staticmethod
    def _perhaps(data: bytes, begins: list[int], sieve: Sieve) -> Iterable[int]:
        """The lines of a block that must be read: those with the words, or with letters spelled by their numbers."""
        if not sieve.needles or sieve.slash:
            return range(len(begins))
        low, found = data.lower(), set()
        for needle in (*sieve.needles, b"\\u"):
            at = low.find(needle)
            while at >= 0:
                line = bisect_right(begins, at) - 1
                found.add(line)
                at = low.find(needle, begins[line + 1]) if line + 1 < len(begins) else -1
        return sorted(found)

    # Reading and laying out.

    def _forget(self) -> None:
        self._mark, self._size, self._time, self._read = (0, 0), 0, 0, 0
        self._starts, self._ends, self._rows = array("q"), array("q"), array("q")
        self._models, self._finishes = array("i"), array("i")
        self._lengths, self._tokens, self._seconds = array("d"), array("d"), array("d")
        self._scores: dict[str, array[float]] = {}
        self._names: dict[str, int] = {}
        self._ways: dict[str, int] = {"": 0}
        self.broken = 0
        self._last_search: tuple[Any, np.ndarray] = (None, np.zeros(0, np.int64))
        self._lay()

    def _take(self) -> None:
        for start, raw in lines(self.path, self._read):
            self._read = start + len(raw) + 1
            line = parsed(raw)
            try:
                if line is None:
                    raise ValueError(start)
                model, row, answer = line["model"], int(line["row"]), line["answer"] or ""
                tokens, seconds = line.get("tokens") or 0, line.get("seconds") or 0.0
                scores, finish = line.get("scores") or {}, line.get("finish") or ""
                self._lengths.append(len(answer))
            except (KeyError, TypeError, ValueError):
                self.broken += bool(raw.strip())
                continue
            count = len(self._starts)
            self._starts.append(start)
            self._ends.append(self._read - 1)
            self._rows.append(row)
            self._models.append(self._names.setdefault(str(model), len(self._names)))
            self._finishes.append(self._ways.setdefault(str(finish), len(self._ways)))
            self._tokens.append(number(tokens) or 0.0)
            self._seconds.append(number(seconds) or 0.0)
            for name, value in scores.items():
                column = self._scores.get(name)
                if column is None:
                    column = self._scores[name] = array("d")
                if len(column) < count:
                    column.extend([np.nan] * (count - len(column)))
                column.append(value if type(value) is float else _or_nan(value))

    def _lay(self) -> None:
        """Put the lines side by side: rows ascending, for each model the line of each row; the last of two stands."""
        count = len(self._starts)
        self._model_of = np.array(self._models, np.int32)
        self.rows, self._place_of = np.unique(np.array(self._rows, np.int64), return_inverse=True)
        self.models = tuple(self._names)
        self._table = {}
        for name, which in self._names.items():
            mine = np.flatnonzero(self._model_of == which)
            self._table[name] = np.full(len(self.rows), -1, np.int64)
            self._table[name][self._place_of[mine]] = mine
        columns = {name: np.array(values, float) for name, values in self._scores.items()}
        self._columns = {name: np.concatenate([values, np.full(count - len(values), np.nan)])
                         for name, values in columns.items()}
        self._columns |= {"\0length": np.array(self._lengths, float), "\0tokens": np.array(self._tokens, float),
                          "\0seconds": np.array(self._seconds, float), "\0finish": np.array(self._finishes, float)}

    def _aligned(self, model: str, column: np.ndarray | None) -> np.ndarray:
        found = np.full(len(self.rows), np.nan)
        if column is not None and model in self._table:
            at = self._table[model]
            found[at >= 0] = column[at[at >= 0]]
        return found

    # Finding and showing.

    def _found(self, view: View, should_stop: Stop | None) -> np.ndarray:
        """The places that the view's words and ending leave."""
        found = np.arange(len(self.rows))
        if view.words:
            found = self._with_words(view, should_stop)
        models = view.models or self.models
        if view.finish and models:
            way = self._ways.get(view.finish, -1)
            found = found[self._aligned(models[-1], self._columns["\0finish"])[found] == way]
        return found

    def _with_words(self, view: View, should_stop: Stop | None) -> np.ndarray:
        """What the words leave; the last search is remembered, so that turning pages reads nothing again."""
        key = (view.words, view.models, self._mark, self._read)
        if self._last_search[0] != key:
            parts = list(self.search(view.words, view.models, should_stop))
            found = np.unique(np.concatenate(parts)) if parts else np.zeros(0, np.int64)
            self._last_search = (key, found)
        return self._last_search[1]

    def _sorted(self, found: np.ndarray, view: View) -> np.ndarray:
        """The places in the view's order; what has no figure stands last either way."""
        models = view.models or self.models
        if not models or view.order == "row":
            return found[::-1] if view.down else found
        if view.order in ("score", "change"):
            by = self.scores(models[-1], view.metric)
            by = by - self.scores(models[0], view.metric) if view.order == "change" else by
        else:
            by = self.figures(models[-1], view.order)
        return found[np.argsort(-by[found] if view.down else by[found], kind="stable")]

    def shown(self, place: int, view: View, parts: compare.Buckets | None) -> Shown:
        """The row at a place of `rows`, in the bucket that `parts` gives it."""
        row = int(self.rows[place])
        bucket = compare.ALL_BUCKETS[parts.codes[place]] if parts is not None else ""
        return Shown(row, bucket, {name: self.prediction(name, row) for name in view.models or self.models})

    def _line(self, model: str, row: int) -> int:
        place = int(np.searchsorted(self.rows, row))
        if model not in self._table or place == len(self.rows) or self.rows[place] != row:
            return -1
        return int(self._table[model][place])

    def _at(self, line: int) -> Prediction:
        try:
            with open(self.path, "rb") as file:
                file.seek(self._starts[line])
                found = parsed(file.read(self._ends[line] - self._starts[line]))
            return of_plain(found or {})
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError("predictions_changed", path=str(self.path)) from error

    def _blocks(self, count: int) -> Iterator[tuple[int, bytes, list[int], list[int]]]:
        """(number of the first line, bytes, where lines begin in them, where they end) of the first `count` lines."""
        starts, ends, line = np.array(self._starts[:count], np.int64), np.array(self._ends[:count], np.int64), 0
        with open(self.path, "rb") as file:
            while line < len(starts):
                begin = int(starts[line])
                upto = max(line + 1, int(np.searchsorted(ends, begin + BLOCK_BYTES)))
                file.seek(begin)
                data = file.read(int(ends[upto - 1]) - begin)
                yield line, data, (starts[line:upto] - begin).tolist(), (ends[line:upto] - begin).tolist()
                line = upto


def _or_nan(value: Any) -> float:
    found = number(value)
    return np.nan if found is None else found


def _says(raw: bytes, low: str) -> bool:
    """Whether a line's texts hold the words, in small letters."""
    line = parsed(raw) or {}
    texts = [line.get("answer"), line.get("reference"), line.get("thinking")]
    texts += [one.get("content") for one in line.get("prompt") or () if isinstance(one, dict)]
    return any(low in text.lower() for text in texts if isinstance(text, str))


@lru_cache(maxsize=4)
def opened(path: Path) -> Predictions:
    """The predictions of a file, kept for the next question about them; `look` before use."""
    return Predictions(path)
