"""Presence: which lanes are in the engine's memory, which are on their way there, and what the engine takes.

The engine is asked at most once a second, and never started by a look.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from studio.chats import client
from studio.chats.engine import Engine, Usage, is_remote
from studio.chats.lanes import LORA_WEIGHTS, PREFIX_WEIGHTS, Lane
from studio.errors import StudioError

ABSENT, LOADING, LOADED, FAILED, REMOTE = "absent", "loading", "loaded", "failed", "remote"
_FRESH_SECONDS = 1.0
_ASK_SECONDS = 2.0


@dataclass(frozen=True)
class There:
    """How far a lane is: `seconds` since it began to load, `bytes` it takes, `code` and `values` of a failure."""

    state: str = ABSENT
    seconds: float = 0.0
    bytes: int = 0
    code: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)


class Presence:
    """What is known of one engine's lanes; safe to use from many threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._guard = threading.Lock()
        self._begun: dict[str, float] = {}
        self._failed: dict[str, StudioError] = {}
        self._known: tuple[float, dict[str, Mapping[str, Any]]] = (0.0, {})
        self._busy = (0.0, 0.0, 0.0)

    def look(self, lane: str) -> There:
        """Where a lane is now."""
        if is_remote(lane):
            return There(REMOTE)
        with self._guard:
            begun, failed = self._begun.get(lane), self._failed.get(lane)
        if begun is not None:
            return There(LOADING, time.monotonic() - begun)
        found = self._lanes().get(lane)
        if found is not None and found.get("state") in (LOADED, LOADING):
            with self._guard:
                self._failed.pop(lane, None)
            return There(str(found["state"]), float(found.get("seconds") or 0), int(found.get("bytes") or 0))
        return There(FAILED, code=failed.code, values=failed.values) if failed else There()

    def usage(self) -> Usage | None:
        """What the engine takes from this machine."""
        return self.engine.usage()

    def cores(self, usage: Usage) -> float:
        """How many cores the engine has kept busy since it was last asked, a second ago or more."""
        now = time.monotonic()
        with self._guard:
            when, seconds, share = self._busy
            if now - when >= _FRESH_SECONDS:
                share = max(0.0, usage.cpu_seconds - seconds) / (now - when) if seconds else 0.0
                self._busy = (now, usage.cpu_seconds, share)
            return share

    def load(self, lane: str) -> None:
        """Begin to load a lane; `look` says how far it is and what went wrong."""
        with self._guard:
            if lane in self._begun or is_remote(lane):
                return
            self._begun[lane] = time.monotonic()
            self._failed.pop(lane, None)
        threading.Thread(target=self._load, args=(lane,), name=f"load {lane}", daemon=True).start()

    def unload(self, lane: str) -> None:
        """Let a lane go; raises what `client.unload` raises."""
        if self.engine.alive:
            client.unload(self.engine.address(), lane)
        self._forget()

    def _load(self, lane: str) -> None:
        failed: StudioError | None = None
        try:
            client.load(self.engine.address(), lane)
        except StudioError as error:
            failed = error
        self._forget()
        with self._guard:
            self._begun.pop(lane, None)
            if failed is not None:
                self._failed[lane] = failed

    def _forget(self) -> None:
        with self._guard:
            self._known = (0.0, {})

    def _lanes(self) -> dict[str, Mapping[str, Any]]:
        """The engine's own word about its lanes; nothing while it does not live or is too busy to say."""
        if not self.engine.alive:
            return {}
        with self._guard:
            when, known = self._known
            if time.monotonic() - when < _FRESH_SECONDS:
                return known
            self._known = (time.monotonic(), known)
        try:
            said = client.lanes(self.engine.address(), _ASK_SECONDS)
        except StudioError:
            return known
        found = _sized(said)
        with self._guard:
            self._known = (time.monotonic(), found)
        return found


def shared(lane: Lane, others: Mapping[str, Lane]) -> tuple[str, int] | None:
    """(whose model a checkpoint shares, the bytes that its adapter adds); None for one that shares with nobody."""
    if lane.adapter is None:
        return None
    whose = next((slot for slot, other in others.items() if other.base == lane.base), None)
    own = sum(size for name, size, _ in lane.fingerprint() if name in (LORA_WEIGHTS, PREFIX_WEIGHTS))
    return (whose, own) if whose is not None else None


def _sized(said: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Lanes by name with the bytes of what makes each of them: its adapter, else its model."""
    bases = {str(one.get("folder")): one for one in said.get("bases") or ()}
    found: dict[str, Mapping[str, Any]] = {}
    for lane in said.get("lanes") or ():
        base = bases.get(str(lane.get("base"))) or {}
        adapters = {one.get("name"): one for one in base.get("adapters") or ()}
        facts = adapters.get(lane.get("name"), {}) if lane.get("adapter") else base.get("facts") or {}
        found[str(lane.get("name"))] = {**lane, "bytes": facts.get("bytes") or 0}
    return found


_guard = threading.Lock()
_known: WeakKeyDictionary[Engine, Presence] = WeakKeyDictionary()


def presence(engine: Engine) -> Presence:
    """The one presence of an engine."""
    with _guard:
        return _known.setdefault(engine, Presence(engine))
