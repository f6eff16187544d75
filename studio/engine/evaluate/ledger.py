"""Ledger: which answers are there already, each new one written down at once, and how long the rest will take."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from studio.scores.browse import Predictions
from studio.scores.predictions import NAME, Prediction, Writer

# Before so much is done, nobody can say how long the rest takes: the first answers to end are the shortest ones.
LEAST_ANSWERS, LEAST_SHARE, LEAST_SECONDS = 20, 0.05, 15.0


class Ledger:
    """The predictions of one evaluation while they are made; `done` of `total` are there.

    `at_once` is how many are made side by side.
    """

    def __init__(self, folder: Path, names: Sequence[str], rows: int, recorder: Any, at_once: int = 1) -> None:
        """Raises WorkError disk_refuses."""
        self.path, self._recorder = folder / NAME, recorder
        self._writer = Writer(self.path)
        there = Predictions(self.path)
        self._there = {name: {int(row) for row in there.answered(name)} for name in names}
        self.total = rows * len(names)
        self.done = self._before = sum(map(len, self._there.values()))
        self._at_once = at_once
        self._began: float | None = None
        self._seconds = 0.0

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """While models are asked; the time outside of it, when models are loaded, is none that answers take."""
        self._began = time.monotonic()
        try:
            yield
        finally:
            self._seconds += time.monotonic() - self._began
            self._began = None

    def has(self, name: str, row: int) -> bool:
        """Whether a model has answered a row."""
        return row in self._there[name]

    def put(self, prediction: Prediction) -> None:
        """Write an answer down."""
        self._writer.write(prediction)
        self._there[prediction.model].add(prediction.row)
        self.done += 1
        self._recorder.progress(step=self.done, total=self.total, done=self.done, of=self.total,
                                eta_seconds=self.remaining())

    def remaining(self) -> float | None:
        """Seconds until the last answer; None while too little has been seen to say so."""
        new, left = self.done - self._before, self.total - self.done
        seconds = self._seconds + (0.0 if self._began is None else time.monotonic() - self._began)
        if new < max(LEAST_ANSWERS, self._at_once) or not seconds:
            return None
        if new < LEAST_SHARE * (new + left) and seconds < LEAST_SECONDS:
            return None
        return round(seconds / new * left, 1)
