"""The tail of console.log as a terminal would show it: progress bars in one line, no colour codes."""

from __future__ import annotations

import codecs
import os
import re
from collections import deque
from pathlib import Path

MOST_LINES = 200
_MOST_BYTES = 1 << 17
_LONGEST_LINE = 2000
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Console:
    """Follows a console log; `read` takes in what is new and says whether anything was."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._forget()

    def _forget(self) -> None:
        self._offset, self._inode = 0, -1
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._lines: deque[str] = deque(maxlen=MOST_LINES)
        self._rest = ""
        self.tail: tuple[str, ...] = ()

    def read(self) -> bool:
        """Take in what is new; of more than 128 KB only the end, for that is more than the tail."""
        try:
            status = os.stat(self.path)
        except OSError:
            return False
        if status.st_size < self._offset or self._inode not in (-1, status.st_ino):
            self._forget()
        self._inode = status.st_ino
        if status.st_size == self._offset:
            return False
        try:
            with open(self.path, "rb") as file:
                self._skip(file.seek(max(self._offset, status.st_size - _MOST_BYTES)))
                new = file.read(_MOST_BYTES)
        except OSError:
            return False
        self._offset += len(new)
        *whole, self._rest = (self._rest + self._decoder.decode(new)).split("\n")
        self._lines.extend(shown for line in whole if (shown := _shown(line)) or not _moves(line))
        self._rest = self._rest[-2 * _LONGEST_LINE:]
        last = _shown(self._rest)
        self.tail = (*self._lines, last)[-MOST_LINES:] if last else tuple(self._lines)
        return True

    def _skip(self, place: int) -> None:
        if place > self._offset:
            self._decoder.reset()
            self._offset, self._rest = place, ""


def _moves(line: str) -> bool:
    """Whether a line that shows nothing held control codes only (a cleared progress bar), and is no line at all."""
    return bool(line.strip("\r"))


def _shown(line: str) -> str:
    """What is left of a line after its carriage returns: the last thing that was drawn over the others."""
    drawn = [part for part in _ANSI.sub("", line).split("\r") if part.strip()]
    return _CONTROL.sub("", drawn[-1])[:_LONGEST_LINE].rstrip() if drawn else ""
