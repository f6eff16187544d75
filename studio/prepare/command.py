"""Running a program whose output goes to a log file, and reading there how far it is."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Sequence

TICK_SECONDS = 0.2


def run_logged(
    command: Sequence[str],
    log: str,
    tell: Callable[[str], None],
    *,
    variables: dict[str, str] | None = None,
    kept: Sequence[int] = (),
    silence_seconds: float = float("inf"),
) -> int:
    """Run `command` to its end and return its exit code; `tell` hears all of its output so far, several times a second.

    `kept` are file descriptors that it inherits. A program that writes nothing for `silence_seconds` is ended, and
    so is one that runs when this function is left by an exception.
    """
    start = size_of(log)
    size, grown_at = start, time.monotonic()
    with open(log, "ab") as output:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=variables, pass_fds=kept
        )
    try:
        while True:
            tell(read_from(log, start))
            try:
                return child.wait(timeout=TICK_SECONDS)
            except subprocess.TimeoutExpired:
                pass
            if size_of(log) > size:
                size, grown_at = size_of(log), time.monotonic()
            elif time.monotonic() - grown_at > silence_seconds:
                end(child)
    finally:
        end(child)


def end(child: subprocess.Popen[bytes]) -> None:
    """Leave no process behind: ask, then kill."""
    if child.poll() is not None:
        return
    child.terminate()
    try:
        child.wait(timeout=10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def size_of(path: str) -> int:
    """The file's size; 0 where there is none."""
    return os.path.getsize(path) if os.path.exists(path) else 0


def read_from(path: str, start: int) -> str:
    """What was written to the file after its first `start` bytes."""
    with open(path, "rb") as file:
        file.seek(start)
        return file.read().decode("utf-8", "replace")
