"""RunSummary: a run in one line of the list, from the heads and tails of its files."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.records import read_json
from studio.runs.files import RunFolder
from studio.runs.state import State, state_of

_TAIL_BYTES = 8192
_SCAN_BYTES = 1 << 20


@dataclass(frozen=True)
class RunSummary:
    """One line of the list of runs; `trouble` is a code with a sentence in `runs.trouble`."""

    name: str
    state: State
    stage: str
    finetuning_type: str
    model: str
    dataset: list[str]
    created: float
    step: int
    total_steps: int
    train_loss: float | None
    best_eval_loss: float | None
    best_step: int | None
    seconds: float
    trouble: str | None
    form: str = ""  # of an export


@dataclass
class _Evaluations:
    """The evaluation lines of a log, read only as far as it has grown."""

    offset: int = 0
    losses: dict[int, float] = field(default_factory=dict)
    ranks: dict[int, float] = field(default_factory=dict)
    rest: bytes = b""

    def read(self, path: Path, size: int) -> None:
        """Take in what is new; lines without an evaluation are passed over unparsed."""
        if size < self.offset:
            self.offset, self.losses, self.ranks, self.rest = 0, {}, {}, b""
        with open(path, "rb") as file:
            file.seek(self.offset)
            while chunk := file.read(_SCAN_BYTES):
                self.offset += len(chunk)
                self._scan(self.rest + chunk)

    def _scan(self, text: bytes) -> None:
        whole = text.rfind(b"\n") + 1
        self.rest = text[whole:]
        place = 0
        while True:
            marks = [at for mark in (b'"eval_loss"', b'"event"') if (at := text.find(mark, place, whole)) >= 0]
            if not marks:
                return
            start = text.rfind(b"\n", 0, min(marks)) + 1
            place = text.find(b"\n", start) + 1
            self._take(text[start:place])

    def _take(self, line: bytes) -> None:
        row = parsed(line)
        step, loss = row.get("step"), row.get("eval_loss")
        if row.get("event") == "resumed" and isinstance(step, int):
            self.losses = {at: value for at, value in self.losses.items() if at <= step}
        elif isinstance(step, int) and isinstance(loss, int | float) and loss == loss:
            self.losses[step] = float(loss)
            rank = _number(row, "eval_rank")
            self.ranks.pop(step, None)
            if rank is not None:
                self.ranks[step] = rank

    def best(self) -> tuple[int | None, float | None]:
        """(step, loss) of the best evaluation: by the metric where the run has one, then by the loss."""
        ranked = self.ranks.get
        return min(self.losses.items(), key=lambda one: (ranked(one[0], one[1]), one[1]), default=(None, None))


class Summarizer:
    """Summarizes one run again and again, reading again only what has changed."""

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._key: tuple[Any, ...] = ()
        self._summary: RunSummary | None = None
        self._head: tuple[Any, dict[str, Any], str | None] = (None, {}, None)
        self._evaluations = _Evaluations()

    def summary(self) -> RunSummary:
        """The run's line now."""
        key = tuple(_stamp(path) for path in (
            self.folder.spec, self.folder.process, self.folder.progress, self.folder.log, self.folder.outcome,
            self.folder.stop, self.folder.lock))
        if self._summary is None or key != self._key or self._summary.state.is_live:
            self._summary = self._made(key)
            self._key = key
        return self._summary

    def _made(self, key: tuple[Any, ...]) -> RunSummary:
        folder = self.folder
        if self._head[0] != key[0] or self._head[0] is None:
            self._head = (key[0], *_head(folder))
        _, spec, trouble = self._head
        progress, last = read_json(folder.progress) or {}, {}
        if key[3] is not None:
            try:
                last = _last_loss(folder.log, key[3][1])
                self._evaluations.read(folder.log, key[3][1])
            except OSError:
                trouble = trouble or "log_unreadable"
        best = self._evaluations.best()
        state = state_of(folder)
        dataset = spec.get("dataset")
        return RunSummary(
            name=folder.name, state=state, stage=_text(spec, "stage"), finetuning_type=_text(spec, "finetuning_type"),
            model=_text(spec, "model_name_or_path"),
            dataset=[str(name) for name in dataset] if isinstance(dataset, list) else [],
            created=_created(folder, spec), step=max(_whole(progress, "step"), _whole(last, "step")),
            total_steps=_whole(progress, "total"), train_loss=_number(last, "loss"), best_eval_loss=best[1],
            best_step=best[0], seconds=elapsed(folder, state), trouble=trouble or _trouble(folder),
            form=_text(spec, "export_to"))


def elapsed(folder: RunFolder, state: State) -> float:
    """Seconds at work over all attempts; the running one counts to now."""
    total = 0.0
    for room in [*_rooms(folder), folder.path]:
        part = RunFolder(room)
        process = read_json(part.process) or {}
        began = _number(process, "started")
        if began is None:
            continue
        ended = _number(read_json(part.outcome) or {}, "ended")
        if ended is None:
            is_now = room == folder.path and state.is_live
            ended = time.time() if is_now else _number(read_json(part.progress) or {}, "time") or began
        total += max(0.0, ended - began)
    return total


def parsed(line: bytes) -> dict[str, Any]:
    """The mapping of a log line; empty for garbage, the last whole object where two lines ran into one another."""
    place = len(line)
    try:
        value = json.loads(line)
    except ValueError:
        value = None
    while value is None and (place := line.rfind(b'{"', 0, place)) > 0:
        try:
            value = json.loads(line[place:])
        except ValueError:
            continue
    return value if isinstance(value, dict) else {}


def _head(folder: RunFolder) -> tuple[dict[str, Any], str | None]:
    """(spec as plain data, trouble): the list shows a run whose spec is broken, too."""
    from studio.args import document

    try:
        return document.read(folder.spec), None
    except StudioError as error:
        return {}, "spec_missing" if error.code == "file_missing" else "spec_corrupt"


def _trouble(folder: RunFolder) -> str | None:
    """The first of the run's own records that is there and cannot be read."""
    for code, path in (("process_corrupt", folder.process), ("outcome_corrupt", folder.outcome),
                       ("progress_corrupt", folder.progress)):
        if read_json(path) is None and path.exists() and read_json(path) is None:
            return code
    return None


def _last_loss(path: Path, size: int) -> dict[str, Any]:
    """The last line of the log that has a loss."""
    with open(path, "rb") as file:
        file.seek(max(0, size - _TAIL_BYTES))
        lines = file.read(_TAIL_BYTES).splitlines()
    for line in reversed(lines):
        if b'"loss"' in line and _number(row := parsed(line), "loss") is not None:
            return row
    return {}


def _created(folder: RunFolder, spec: dict[str, Any]) -> float:
    try:
        return datetime.fromisoformat(str(spec["created"])).timestamp()
    except (KeyError, ValueError):
        return (_stamp(folder.spec) or _stamp(folder.path) or (0, 0))[0] / 1e9


def _rooms(folder: RunFolder) -> list[Path]:
    try:
        return [folder.attempts / name for name in os.listdir(folder.attempts) if name.isdigit()]
    except OSError:
        return []


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _text(values: dict[str, Any], name: str) -> str:
    value = values.get(name)
    return value if isinstance(value, str) else ""


def _whole(values: dict[str, Any], name: str) -> int:
    value = values.get(name)
    return int(value) if isinstance(value, int | float) and value == value else 0


def _number(values: dict[str, Any], name: str) -> float | None:
    value = values.get(name)
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value == value
    return float(value) if is_number else None  # type: ignore[arg-type]
