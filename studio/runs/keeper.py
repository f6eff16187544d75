"""The keeper: climbs the stop ladder for an engine whose supervisor has died, and writes the outcome.

    python -m studio.runs.keeper FOLDER
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from pathlib import Path

from studio.identity import Identity
from studio.records import read_json
from studio.runs import family, outcome
from studio.runs.files import RunFolder
from studio.runs.ladder import Ladder

_LOOK_SECONDS = 0.5


def keep(folder: RunFolder) -> None:
    """Wait for the engine's end, climbing; then end its family and say stopped, unless the engine has spoken."""
    process = read_json(folder.process) or {}
    token, engine = str(process.get("token") or ""), Identity.read(process.get("engine"))
    ladder = Ladder(folder, token, ())
    while engine is not None and engine.alive():
        ladder.climb()
        time.sleep(_LOOK_SECONDS)
    lock = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return  # somebody has resumed the run meanwhile: the next outcome is not ours
    left = family.end(token)
    outcome.write(folder, "stopped", attempt=process.get("attempt"), orphaned=True,
                  escalated=ladder.has_escalated, left=[who.pid for who in left])


def main(argv: list[str]) -> int:
    """Detach and keep; a second keeper for the same run ends at once."""
    if os.fork():
        os._exit(0)
    folder = RunFolder(Path(argv[0]))
    mark = os.open(folder.path / ".keeper", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return 0
    keep(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
