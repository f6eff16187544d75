"""Ledger: which answers are there already, each new one written down at once, and how long the rest will take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from studio.scores.browse import Predictions
from studio.scores.predictions import NAME, Prediction, Writer


class Ledger:
    """The predictions of one evaluation while they are made; `done` of `total` are there."""

    def __init__(self, folder: Path, names: Sequence[str], rows: int, recorder: Any) -> None:
        """Raises WorkError disk_refuses."""
        self.path, self._recorder = folder / NAME, recorder
        self._writer = Writer(self.path)
        there = Predictions(self.path)
        self._there = {name: {int(row) for row in there.answered(name)} for name in names}
        self.total = rows * len(names)
        self.done = self._before = sum(map(len, self._there.values()))
        self._began = time.monotonic()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def has(self, name: str, row: int) -> bool:
        """Whether a model has answered a row."""
        return row in self._there[name]

    def put(self, prediction: Prediction) -> None:
        """Write an answer down."""
        self._writer.write(prediction)
        self._there[prediction.model].add(prediction.row)
        self.done += 1
        new = self.done - self._before
        left = (time.monotonic() - self._began) / new * (self.total - self.done)
        self._recorder.progress(step=self.done, total=self.total, done=self.done, of=self.total,
                                eta_seconds=round(left, 1))
