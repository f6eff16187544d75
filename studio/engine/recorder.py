"""Recorder: the engine's hand in the run folder: trainer_log.jsonl, progress.json, failure.json, console lines."""

from __future__ import annotations

import json
import os
import threading
import time
import traceback
from collections.abc import Mapping
from typing import Any

from studio.records import write_json
from studio.runs.files import RunFolder
from studio.texts import say

PROGRESS_SECONDS = 0.5
HEARTBEAT_SECONDS = 2.0


class Recorder:
    """Writes what rank 0 has to say; on other ranks it is `silent` and writes nothing."""

    def __init__(self, folder: RunFolder, silent: bool = False, lang: str = "en") -> None:
        self._folder = folder
        self._silent = silent
        self.lang = lang
        self._lock = threading.Lock()
        self._progress: dict[str, Any] = {"phase": "loading", "step": 0, "total": 0}
        self._written = 0.0
        self._beat = 0.0

    def phase(self, phase: str, **more: Any) -> None:
        """Enter a phase, written at once.

        loading, tokenising, training, evaluating, saving, finished, stopped or failed; an evaluation has comparing,
        answering, scoring and reporting, too.
        """
        self._progress = {**self._progress, "phase": phase, "done": None, "of": None, **more}
        self._write_progress()

    def progress(self, **more: Any) -> None:
        """New figures of the current phase; the file is replaced at most about twice a second."""
        self._progress = {**self._progress, **more}
        if time.monotonic() - self._written >= PROGRESS_SECONDS:
            self._write_progress()

    def heartbeat(self) -> None:
        """Touch progress.json, so that a long phase is told from a dead engine."""
        if not self._silent and time.monotonic() - self._beat >= HEARTBEAT_SECONDS:
            self._beat = time.monotonic()
            try:
                os.utime(self._folder.progress)
            except FileNotFoundError:
                return

    def _write_progress(self) -> None:
        """Replaced atomically but not forced to the disk: a lost second of progress is no loss."""
        if self._silent:
            return
        with self._lock:
            aside = self._folder.progress.with_name(f".progress.{os.getpid()}")
            aside.write_text(json.dumps({**self._progress, "time": time.time()}), encoding="utf-8")
            os.replace(aside, self._folder.progress)
            self._written = self._beat = time.monotonic()

    def log(self, **figures: Any) -> None:
        """Append one line to trainer_log.jsonl; `time` is added."""
        if self._silent:
            return
        line = json.dumps({**figures, "time": time.time()})
        with open(self._folder.log, "a+b") as file:
            if file.tell() and not _ends_in_newline(file):
                file.write(b"\n")
            file.write(line.encode() + b"\n")

    def say(self, key: str, **values: Any) -> None:
        """One line on the console, from the locale's `engine` section."""
        if not self._silent:
            print(say(self.lang, f"engine.{key}", **values), flush=True)

    def skipped(self, name: str, counts: Any) -> None:
        """A line for every reason for which rows of a dataset were left out, with the first place of each."""
        for reason, count in counts.skipped.items():
            file, line = counts.examples[reason][0]
            self.say("skipped", name=name, count=count, reason=say(self.lang, f"data.skipped.{reason}"), file=file,
                     line=line)

    def failure(self, code: str, values: Mapping[str, Any], error: BaseException | None) -> None:
        """Write failure.json once and the phase `failed`; a second failure does not replace the first."""
        trace = "".join(traceback.format_exception(error)) if error is not None else ""
        if trace:
            print(trace, flush=True)
        if self._silent or self._folder.failure.exists():
            return
        shown = {name: list(map(str, value)) if isinstance(value, list | tuple)
                 else value if isinstance(value, int | float | str | bool | None) else str(value)
                 for name, value in values.items()}
        write_json(self._folder.failure, {"code": code, "values": shown, "traceback": trace})
        self.phase("failed")


def _ends_in_newline(file: Any) -> bool:
    """Whether the last line of a file open for reading is whole; a killed engine may have left a half."""
    file.seek(-1, os.SEEK_END)
    return bool(file.read(1) == b"\n")
