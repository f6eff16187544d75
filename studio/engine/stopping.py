"""Who may end a run and how it hears of it: the `stop` file, SIGTERM and SIGINT; SIGHUP is ignored."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.3


class Stop:
    """One flag for every way to ask; a daemon thread looks for the file and keeps the heartbeat going.

    While `leave` is set (nothing is trained yet, so nothing can be lost) the thread calls it and ends the process at
    once; afterwards the training loop asks `asked()` where it can stop in good order.
    """

    def __init__(self, file: Path, heartbeat: Callable[[], None] = lambda: None) -> None:
        self._file = file
        self._heartbeat = heartbeat
        self._event = threading.Event()
        self._leaving = threading.Lock()
        self._leave: Callable[[], None] | None = None

    def watch(self, leave: Callable[[], None]) -> None:
        """Start listening; until `stay()`, a request ends the process by `leave` with exit code 0."""
        self._leave = leave
        if threading.current_thread() is threading.main_thread():
            for sign in (signal.SIGTERM, signal.SIGINT):
                signal.signal(sign, self._on_signal)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)
        threading.Thread(target=self._poll, name="stop", daemon=True).start()

    def stay(self) -> None:
        """From now on a request is only noted: the loop decides where to stop."""
        with self._leaving:
            self._leave = None

    def asked(self) -> bool:
        """Whether somebody asked; the file is looked at too, so that the answer is never older than the call."""
        if not self._event.is_set() and self._file.exists():
            self._event.set()
        return self._event.is_set()

    def _on_signal(self, number: int, frame: Any) -> None:
        self._event.set()

    def _poll(self) -> None:
        while True:
            asked = self._event.wait(POLL_SECONDS) or self.asked()
            if asked:
                with self._leaving:
                    if self._leave is not None:
                        self._leave()
                        end_process(0)
                threading.Event().wait(POLL_SECONDS)
            self._heartbeat()


def end_process(code: int) -> None:
    """End now, whatever other threads do; what was printed reaches the console log."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
