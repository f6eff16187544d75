"""The stop ladder: the `stop` file, then TERM to the whole family, then KILL, until nobody is left."""

from __future__ import annotations

import os
import signal
import time

from studio.runs import family
from studio.runs.files import RunFolder

GRACE_SECONDS = 60.0
TERM_SECONDS = 5.0
ORDERLY, TERM, KILL = 1, 2, 3


def seconds(name: str, default: float) -> float:
    """A waiting time, shortened or lengthened by the environment."""
    try:
        return max(0.0, float(os.environ.get(name, default)))
    except ValueError:
        return default


def asked(folder: RunFolder) -> int:
    """How often a stop was asked for: 0 not at all, 1 orderly, 2 at once, 3 by force; any stop file asks once."""
    try:
        with open(folder.stop, "rb") as file:
            text = file.read(8).strip()
    except OSError:
        return 0
    return min(KILL, max(ORDERLY, int(text))) if text.isdigit() else ORDERLY


class Ladder:
    """Climbs as far as asked or as time tells; `climb` is cheap and is called every half second."""

    def __init__(self, folder: RunFolder, token: str, roots: tuple[int, ...]) -> None:
        self.folder, self.token, self.roots = folder, token, roots
        self.grace_seconds = seconds("STUDIO_GRACE_SECONDS", GRACE_SECONDS)
        self.term_seconds = seconds("STUDIO_TERM_SECONDS", TERM_SECONDS)
        self.level = 0
        self._asked_at = self._termed_at = 0.0

    @property
    def has_escalated(self) -> bool:
        """Whether the family was signalled: what ends now was stopped, whatever its exit code."""
        return self.level >= TERM

    def climb(self, by_signal: int = 0) -> None:
        """One look at what is asked (by the file or by signals to the supervisor) and the next rung if it is due."""
        now = time.monotonic()
        wanted = max(asked(self.folder), min(KILL, by_signal))
        if wanted and not self.level:
            self.level, self._asked_at = ORDERLY, now
        if self.level == ORDERLY and (wanted >= TERM or now - self._asked_at >= self.grace_seconds):
            self.level, self._termed_at = TERM, now
            if wanted < KILL:
                family.tell(family.members(self.token, self.roots), signal.SIGTERM)
        if self.level == TERM and (wanted >= KILL or now - self._termed_at >= self.term_seconds):
            self.level = KILL
            family.end(self.token, self.roots, term_seconds=0)
