"""Monitor: one run watched from its files; a look costs the same at a hundred and at a million log lines."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.args import document
from studio.errors import StudioError
from studio.records import read_json
from studio.runs.console import Console
from studio.runs.curve import Curve
from studio.runs.files import RunFolder
from studio.runs.series import Series
from studio.runs.state import State, state_of
from studio.runs.summary import elapsed

_SLICE_SECONDS = 0.3
_MOST_MONITORS = 32


@dataclass(frozen=True)
class Glimpse:
    """A run at one moment; every face of the studio draws from this and nothing else.

    `version` grows whenever anything but the clock has changed; `catching_up` says that a long log is still being
    read and the curves end early. `elapsed_seconds` counts all attempts. `saved` is how many checkpoints are complete.
    """

    name: str
    state: State
    phase: str
    step: int
    total: int
    epoch: float | None
    eta_seconds: float | None
    elapsed_seconds: float
    tokens_per_second: float | None
    loss: Curve = field(repr=False)
    smoothed: Curve = field(repr=False)
    eval_loss: Curve = field(repr=False)
    learning_rate: Curve = field(repr=False)
    grad_norm: Curve = field(repr=False)
    log_tail: tuple[str, ...] = field(repr=False)
    failure: dict[str, Any] | None
    outcome: dict[str, Any] | None
    best_step: int | None
    best_eval_loss: float | None
    done: int
    of: int
    tokens: int
    version: int
    catching_up: bool
    saved: int = 0
    results: Path | None = None
    metric: str = ""
    eval_metric: Curve = field(default_factory=Curve, repr=False)
    stage: str = ""


class Monitor:
    """Watches a run folder; it needs no other file than the folder itself and may be used from several threads."""

    def __init__(self, path: str | os.PathLike[str] | RunFolder) -> None:
        self.folder = path if isinstance(path, RunFolder) else RunFolder(Path(path))
        self._series = Series(self.folder.log)
        self._console = Console(self.folder.console)
        self._records: dict[Path, tuple[Any, dict[str, Any] | None]] = {}
        self._seen: tuple[Any, ...] = ()
        self._version = 0
        self._earlier: tuple[Any, float] = (None, 0.0)
        self._of_spec: str | None = None
        self._guard = threading.Lock()

    def look(self) -> Glimpse:
        """The run now, having read only what is new; of a long unread log as much as 0.3 seconds allow."""
        with self._guard:
            catching_up = self._series.read(_SLICE_SECONDS)
            self._console.read()
            return self._glimpse(catching_up)

    def _glimpse(self, catching_up: bool) -> Glimpse:
        series, folder = self._series, self.folder
        state = state_of(folder)
        progress = self._record(folder.progress) or {}
        failure, outcome = self._record(folder.failure), self._record(folder.outcome)
        saved = len(folder.complete_steps())
        tail = self._console.tail
        seen = (state, series.version, tail, str(progress), str(failure), str(outcome), catching_up, saved)
        if seen != self._seen:
            self._seen, self._version = seen, self._version + 1
        last = series.last
        best = series.best or (None, None)
        return Glimpse(
            name=folder.name, state=state, phase=_phase(state, progress),
            step=max(_whole(progress.get("step")), _whole(last.get("step"))), total=_whole(progress.get("total")),
            epoch=_number(last.get("epoch")),
            eta_seconds=_number(progress.get("eta_seconds")) if state.is_live else None,
            elapsed_seconds=self._elapsed(state, progress), tokens_per_second=_number(last.get("tokens_per_second")),
            loss=series.curve("loss"), smoothed=series.curve("smoothed"), eval_loss=series.curve("eval_loss"),
            learning_rate=series.curve("learning_rate"), grad_norm=series.curve("grad_norm"),
            log_tail=self._console.tail, failure=failure, outcome=outcome, best_step=best[0], best_eval_loss=best[1],
            done=_whole(progress.get("done")), of=_whole(progress.get("of")), tokens=_whole(last.get("tokens")),
            version=self._version, catching_up=catching_up, saved=saved,
            results=folder.results, metric=series.metric, eval_metric=series.curve("eval_metric"),
            stage=self._stage())

    def _record(self, path: Path) -> dict[str, Any] | None:
        """A small JSON file, read again only when it was replaced."""
        try:
            status = os.stat(path)
            stamp: Any = (status.st_mtime_ns, status.st_size, status.st_ino)
        except OSError:
            stamp = None
        known = self._records.get(path)
        if known is None or known[0] != stamp:
            known = (stamp, read_json(path) if stamp else None)
            self._records[path] = known
        return known[1]

    def _stage(self) -> str:
        """The spec's own stage, "" while there is no spec that can be read; a spec is written once."""
        if self._of_spec is None and self.folder.spec.exists():
            try:
                self._of_spec = str(document.read(self.folder.spec).get("stage") or "")
            except StudioError:
                return ""
        return self._of_spec or ""

    def _elapsed(self, state: State, progress: dict[str, Any]) -> float:
        """Of the run's records; where there are none (a log alone) of the times in the log."""
        process = self._record(self.folder.process)
        if process is None and not self.folder.attempts.exists():
            began, ended = self._series.began, _number(progress.get("time")) or _number(self._series.last.get("time"))
            return max(0.0, ended - began) if began and ended else 0.0
        if not state.is_live:
            key = (state, str(process), str(self._record(self.folder.outcome)))
            if self._earlier[0] != key:
                self._earlier = (key, elapsed(self.folder, state))
            return self._earlier[1]
        return elapsed(self.folder, state)


_shared: OrderedDict[Path, Monitor] = OrderedDict()
_shared_guard = threading.Lock()


def shared(path: str | os.PathLike[str] | RunFolder) -> Monitor:
    """The one monitor of a folder in this process: many tabs cost as much as one. The 32 last used are kept."""
    place = (path.path if isinstance(path, RunFolder) else Path(path)).absolute()
    with _shared_guard:
        found = _shared.pop(place, None) or Monitor(place)
        _shared[place] = found
        while len(_shared) > _MOST_MONITORS:
            _shared.popitem(last=False)
        return found


def _phase(state: State, progress: dict[str, Any]) -> str:
    phase = progress.get("phase")
    return phase if isinstance(phase, str) else ("starting" if state.is_live else "")


def _whole(value: Any) -> int:
    number = _number(value)
    return int(number) if number is not None else 0


def _number(value: Any) -> float | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and value - value == 0
    return float(value) if is_number else None
