"""The one line that tells what an installation is doing: rewritten in place on a terminal, else a line now and then."""

from __future__ import annotations

import re
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

PLAIN_LINE_SECONDS = 15.0
Say = Callable[..., str]


class Step(NamedTuple):
    """The key of a sentence and its values."""

    key: str
    package: str = ""
    size: str = ""
    done: int = 0
    total: int = 0


class Shows(Protocol):
    """Whoever wants to hear of steps."""

    @property
    def show(self) -> Callable[[Step], None]: ...


class Progress:
    """Shows steps on stderr, each with the time since the beginning."""

    def __init__(self, say: Say) -> None:
        self.say = say
        self.began = time.monotonic()
        self.on_terminal = sys.stderr.isatty()
        self.shown = Step("")
        self.shown_at = 0.0
        self.width = 0

    def show(self, step: Step) -> None:
        """Tell what is being done; may be called as often as one likes."""
        now = time.monotonic()
        is_due = now - self.shown_at >= (0.2 if self.on_terminal else PLAIN_LINE_SECONDS)
        if not is_due and (step == self.shown if self.on_terminal else step.key == self.shown.key):
            return
        self.shown, self.shown_at = step, now
        line = " ".join(self.say(**step._asdict(), elapsed=clock(now - self.began)).split())
        if self.on_terminal:
            self.rewrite(line)
        else:
            self.write(line + "\n")

    def end(self) -> None:
        """Leave the terminal clean for whoever writes next."""
        if self.width:
            self.rewrite("")

    def rewrite(self, line: str) -> None:
        line = cut(line, shutil.get_terminal_size().columns - 1)
        blanks = " " * max(0, self.width - columns(line))
        self.width = columns(line)
        self.write("\r" + line + blanks + ("" if line else "\r"))

    def write(self, text: str) -> None:
        encoding = sys.stderr.encoding or "ascii"
        sys.stderr.write(text.encode(encoding, "replace").decode(encoding))
        sys.stderr.flush()


def pip_step(output: str, installed: Collection[str], otherwise: str) -> Step:
    """What pip is doing, judged by its output so far; `installed` holds the packages that are there by now."""
    writing = re.search(r"^Installing collected packages: (.+)$", output, re.MULTILINE)
    if writing:
        names = [name.strip() for name in writing[1].split(",")]
        left = [name for name in names if re.sub(r"[-.]", "_", name.lower()) not in installed]
        done = len(names) - len(left)
        return Step("installing", left[0] if left else names[-1], done=min(done + 1, len(names)), total=len(names))
    for line in reversed(output.splitlines()):
        fetched = re.match(r"\s+Downloading (?:\S+/)?([^\s/]+?)-\d\S*(?: \(([^)]+)\))?", line)
        if fetched:
            return Step("downloading", fetched[1], size=fetched[2] or "")
        asked = re.match(r"Collecting ([A-Za-z0-9._-]+)", line)
        if asked:
            return Step("resolving", asked[1])
        built = re.match(r"\s*Building wheels? for (?:collected packages: )?([A-Za-z0-9._-]+)", line)
        if built:
            return Step("building", built[1])
    return Step(otherwise)


def clock(seconds: float) -> str:
    """Minutes and seconds, as 1:05."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def columns(text: str) -> int:
    """How many columns of a terminal the text takes: a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def cut(text: str, width: int) -> str:
    """The text, ended by … where it is wider than `width` columns."""
    if columns(text) <= width:
        return text
    while text and columns(text) > width - 1:
        text = text[:-1]
    return text + "…"
