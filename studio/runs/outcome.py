"""How a run ended: `outcome.json`, written once by the supervisor, or by an engine that has outlived it."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from studio.identity import Identity
from studio.records import read_json
from studio.runs.files import RunFolder

_RESERVED_BYTES = 4096


def reserve(folder: RunFolder) -> None:
    """Put room for the outcome aside, so that a disk filled by the run cannot hide how it ended."""
    with open(_aside(folder), "wb") as file:
        file.write(b" " * _RESERVED_BYTES)
        file.flush()
        os.fsync(file.fileno())


def write(folder: RunFolder, state: str, *, exit_code: int | None = None, signal: str | None = None,
          **more: Any) -> bool:
    """Record how the run ended, once; False when an outcome is there already.

    `state` is finished, stopped or failed; `signal` the name of the signal that killed the engine.
    """
    if folder.outcome.exists():
        return False
    value = {"state": state, "exit_code": exit_code, "signal": signal, "ended": time.time(), **more}
    text = json.dumps(value, ensure_ascii=False).encode()
    handle = os.open(_aside(folder), os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        os.pwrite(handle, text, 0)
        os.ftruncate(handle, len(text))
        os.fsync(handle)
    finally:
        os.close(handle)
    os.replace(_aside(folder), folder.outcome)
    return True


def write_if_orphaned(folder: RunFolder, state: str, *, exit_code: int | None = None) -> bool:
    """Called by the engine at its end: writes the outcome when its supervisor has died; whether it did."""
    process = read_json(folder.process) or {}
    supervisor = Identity.read(process.get("supervisor"))
    if supervisor is None or supervisor.alive() is not False:
        return False
    return write(folder, state, exit_code=exit_code, attempt=process.get("attempt"), orphaned=True)


def read(folder: RunFolder) -> dict[str, Any] | None:
    """The outcome; None while there is none (or none that can be read)."""
    return read_json(folder.outcome)


def _aside(folder: RunFolder) -> Any:
    return folder.path / ".outcome.json"
