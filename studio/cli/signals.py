"""Signals to a client that follows a run: Ctrl-C is counted, TERM and HUP send the client away, never the run."""

from __future__ import annotations

import signal
import types
from typing import Any


class Left(BaseException):
    """The client was told to go; the run is none of its business."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


class Presses:
    """While entered, counts Ctrl-C in `count` and raises Left at TERM and HUP; what the shell ignores stays ignored."""

    def __init__(self) -> None:
        self.count = 0
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Presses:
        wanted = {signal.SIGINT: self._pressed, signal.SIGTERM: self._leave}
        if hasattr(signal, "SIGHUP"):
            wanted[signal.SIGHUP] = self._leave
        for number, handler in wanted.items():
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._former[number] = signal.signal(number, handler)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _pressed(self, number: int, frame: types.FrameType | None) -> None:
        self.count += 1

    def _leave(self, number: int, frame: types.FrameType | None) -> None:
        raise Left(number)
