"""State: what a run is doing, computed from its folder and its processes at every look, never stored."""

from __future__ import annotations

import time
from enum import StrEnum
from typing import Any

from studio.identity import Identity
from studio.records import read_json
from studio.runs.files import RunFolder

HEARTBEAT_SECONDS = 90.0
STARTING_SECONDS = 30.0


class State(StrEnum):
    """The eight things that a run can be."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    LOST = "lost"

    @property
    def is_live(self) -> bool:
        """Whether processes are (or are about to be) at work."""
        return self in (State.STARTING, State.RUNNING, State.STOPPING)

    @property
    def is_resumable(self) -> bool:
        """Whether Resume has something to do."""
        return self in (State.STOPPED, State.FAILED, State.LOST)


OUTCOMES = (State.FINISHED, State.STOPPED, State.FAILED)


def state_of(folder: RunFolder) -> State:
    """The run's state now.

    The outcome's word; else what its processes say, by pid, birth and host; the processes of another host
    cannot be asked: they count as alive while their heartbeat (see `heartbeat`) is younger than 90 seconds.
    """
    if (ended := _outcome(folder)) is not None:
        return ended
    process = read_json(folder.process)
    if process is None and not folder.process.exists():
        return State.STARTING if _being_started(folder) else _outcome(folder) or State.QUEUED
    if _alive(folder, process or {}):
        if folder.stop.exists():
            return State.STOPPING
        return State.RUNNING if process is None or process.get("engine") else State.STARTING
    # The outcome may have been written between the first look and the death of the processes.
    return _outcome(folder) or (State.STOPPED if folder.stop.exists() else State.LOST)


def heartbeat(folder: RunFolder) -> float:
    """When the run last gave a sign: the engine's progress, or the supervisor's touch of process.json."""
    return max(_changed(folder.progress), _changed(folder.process))


def _outcome(folder: RunFolder) -> State | None:
    outcome = read_json(folder.outcome)
    word = outcome.get("state") if outcome else None
    return State(word) if word in OUTCOMES else None


def _alive(folder: RunFolder, process: dict[str, Any]) -> bool:
    """Whether supervisor or engine lives, as far as this host can tell."""
    known = [Identity.read(process.get(who)) for who in ("supervisor", "engine")]
    lives = [identity.alive() for identity in known if identity]
    if any(lives):
        return True
    if None in lives or not lives:
        return time.time() - heartbeat(folder) < HEARTBEAT_SECONDS
    # A supervisor that died in the instant between the engine's birth and its record: the engine's own beat counts.
    return known[1] is None and time.time() - _changed(folder.progress) < HEARTBEAT_SECONDS


def _being_started(folder: RunFolder) -> bool:
    """Whether a client has claimed the run a moment ago: it writes into the lock file while it starts."""
    try:
        status = folder.lock.stat()
    except OSError:
        return False
    return status.st_size > 0 and time.time() - status.st_mtime < STARTING_SECONDS


def _changed(path: Any) -> float:
    try:
        return float(path.stat().st_mtime)
    except OSError:
        return 0.0
