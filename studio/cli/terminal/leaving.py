"""TERM and HUP end a chat like its last line: its terminal and its server are left in order."""

from __future__ import annotations

import signal
import types
from typing import Any

from studio.cli.signals import Left


class Leaving:
    """While entered, TERM and HUP raise Left; what the shell ignores stays ignored.

    A line editor runs an event loop, which would swallow that: `editor`, while it runs, is ended with Left instead.
    """

    def __init__(self) -> None:
        self.editor: Any = None
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Leaving:
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._former[number] = signal.signal(number, self._leave)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)

    def _leave(self, number: int, frame: types.FrameType | None) -> None:
        editor = self.editor
        if editor is None or not editor.is_running or editor.loop is None:
            raise Left(number)
        editor.loop.call_soon_threadsafe(lambda: editor.exit(exception=Left(number)))
