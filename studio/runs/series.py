"""The numbers of trainer_log.jsonl as curves, read once, from where the last look ended."""

from __future__ import annotations

import json
import math
import os
import time
from pathlib import Path
from typing import Any

from studio.runs.curve import Curve, Thinned
from studio.runs.summary import parsed

try:
    from orjson import loads as _loads
except ImportError:
    _loads = json.loads  # type: ignore[assignment]

NAMES = ("loss", "eval_loss", "learning_rate", "grad_norm")
METRIC = "eval_metric"  # stands only beside an evaluation loss
# The smoothed loss is an exponential moving average over the raw points: a new point weighs a fifth, and the
# start is corrected so that the first value is the first loss (Kingma & Ba 2015, section 3).
SMOOTHING = 0.8
_CHUNK_BYTES = 1 << 18
_LONGEST_LINE = 1 << 20
Row = dict[str, Any]


class Series:
    """Follows one log file: `read` takes in what is new, at most for so long, and says whether more is waiting."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._resumes: list[tuple[int, int]] = []  # (lines before it, step that the attempt continued from)
        self.version = 0
        self._forget()

    def _forget(self) -> None:
        """Begin the file anew; what is known about resumes stays, it is why we begin anew."""
        self._offset, self._inode, self._lines = 0, -1, 0
        self._rest = b""
        self._curves = {name: Thinned() for name in (*NAMES, METRIC)}
        self._ready: dict[str, Curve] = {}
        self._average, self._weight = 0.0, 0.0
        self.last: Row = {}
        self.best: tuple[int, float] | None = None
        self._best: tuple[float, float, int] | None = None
        self.metric = ""
        self.began: float | None = None
        self.version += 1

    def read(self, most_seconds: float = 0.3) -> bool:
        """Take in new lines; True when the time was up before the end of the file."""
        try:
            status = os.stat(self.path)
        except OSError:
            if self._offset:
                self._resumes = []
                self._forget()
            return False
        if status.st_size < self._offset or (self._inode not in (-1, status.st_ino)):
            self._resumes = []
            self._forget()
        self._inode = status.st_ino
        if status.st_size == self._offset:
            return False
        try:
            return self._read(time.monotonic() + most_seconds)
        except OSError:
            return False  # taken away between two system calls: the next look tells

    def _read(self, until: float) -> bool:
        with open(self.path, "rb") as file:
            file.seek(self._offset)
            while chunk := file.read(_CHUNK_BYTES):
                self._offset += len(chunk)
                text = self._rest + chunk
                whole = text.rfind(b"\n") + 1
                self._rest = text[whole:] if len(text) - whole < _LONGEST_LINE else b""
                if whole and self._take(text[:whole]):
                    file.seek(0)  # an attempt went back: begin anew, knowing where it did
                if time.monotonic() > until:
                    return bool(file.read(1))
        return False

    def _take(self, text: bytes) -> bool:
        """Take in whole lines; True when an earlier part of the file must be read again."""
        lines = text.split(b"\n")[:-1]
        rows = _rows(lines)
        for place, row in enumerate(rows):
            if row.get("event") == "resumed" and self._goes_back(self._lines + place, row, rows[:place]):
                self._forget()
                return True
        self._add(self._surviving(rows) if self._resumes else rows)
        self._lines += len(rows)
        return False

    def _goes_back(self, line: int, row: Row, before: list[Row]) -> bool:
        """Whether a new resume event drops points that were taken in, or stand before it in the same rows."""
        step = _step(row)
        if step is None or any(at == line for at, _ in self._resumes):
            return False
        lasts = [curve.last[0] for curve in self._curves.values() if curve.last]
        latest = max([*lasts, *(at for earlier in before if (at := _step(earlier)) is not None)], default=-1)
        if latest <= step:
            return False
        self._resumes.append((line, step))
        return True

    def _surviving(self, rows: list[Row]) -> list[Row]:
        """Without the rows that a later attempt has done again."""
        kept = []
        for place, row in enumerate(rows):
            line = self._lines + place
            limit = min((step for at, step in self._resumes if at > line), default=None)
            step = _step(row)
            if limit is None or step is None or step <= limit:
                kept.append(row)
        return kept

    def _add(self, rows: list[Row]) -> None:
        for name in NAMES:
            self._add_curve(name, rows)
        for row in reversed(rows):
            if _step(row) is not None and "loss" in row:
                self.last = row
                break
        if self.began is None:
            self.began = next((_finite(row.get("time")) for row in rows if _finite(row.get("time"))), None)
        if rows:
            self.version += 1

    def _add_curve(self, name: str, rows: list[Row]) -> None:
        """Add the finite values of one name whose steps go on; a step that was logged twice counts once."""
        curve = self._curves[name]
        last = curve.last[0] if curve.last else -1
        steps: list[int] = []
        values: list[float] = []
        for row in rows:
            value = row.get(name)
            if value is None or type(step := row.get("step")) is not int or step <= last:
                continue
            if type(value) not in (float, int) or value - value != 0:
                continue
            last = step
            steps.append(step)
            values.append(value)
        if not steps:
            return
        curve.add(steps, values, self._smoothed(values) if name == "loss" else values)
        self._ready.pop(name, None)
        if name == "eval_loss":
            self._add_evaluations([row for row in rows if row.get(name) is not None], dict(zip(steps, values)))

    def _add_evaluations(self, rows: list[Row], losses: dict[int, float]) -> None:
        """Which evaluation is the best: by the metric where the run has one, then by the loss."""
        for row in rows:
            step = row.get("step")
            if step in losses:
                loss, rank = losses[step], _finite(row.get("eval_rank"))
                place = (loss if rank is None else rank, loss, step)
                if self._best is None or place[:2] < self._best[:2]:
                    self._best, self.best = place, (step, loss)
                if isinstance(row.get("metric"), str):
                    self.metric = row["metric"]
        if self.metric:
            self._add_curve(METRIC, rows)

    def _smoothed(self, values: list[float]) -> list[float]:
        average, weight, found = self._average, self._weight, []
        for value in values:
            average = SMOOTHING * average + (1 - SMOOTHING) * value
            weight = SMOOTHING * weight + (1 - SMOOTHING)
            found.append(average / weight)
        self._average, self._weight = average, weight
        return found

    def curve(self, name: str) -> Curve:
        """The curve of one of NAMES, or `smoothed`, the average at the steps of the loss; made anew only when grown."""
        source = "loss" if name == "smoothed" else name
        if source not in self._ready:
            points = self._curves[source].points()
            steps = [point[0] for point in points]
            self._ready[source] = Curve(steps, [point[1] for point in points])
            if source == "loss":
                self._ready["smoothed"] = Curve(steps, [point[2] for point in points])
        return self._ready[name]


def _rows(lines: list[bytes]) -> list[Row]:
    """One mapping a line, empty for garbage; all at once where every line is right, which is nearly always."""
    try:
        rows = _loads(b"[" + b",".join(lines) + b"]")
        if len(rows) == len(lines) and all(type(row) is dict for row in rows):
            return rows  # type: ignore[no-any-return]
    except ValueError:
        pass  # some line is garbage: each is read by itself
    return [parsed(line) for line in lines]


def _step(row: Row) -> int | None:
    step = row.get("step")
    return step if isinstance(step, int) and not isinstance(step, bool) else None


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


