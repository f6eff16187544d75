"""TERM and HUP end a chat like its last line: its terminal and its server are left in order."""

from __future__ import annotations

import signal
import types
from collections.abc import Iterator
from contextlib import contextmanager

from studio.cli.signals import Left


@contextmanager
def leaving() -> Iterator[None]:
    """While entered, TERM and HUP raise Left; what the shell ignores stays ignored."""
    former = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)
              if signal.getsignal(number) is not signal.SIG_IGN}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)


def _leave(number: int, frame: types.FrameType | None) -> None:
    raise Left(number)
