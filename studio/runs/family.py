"""Every process that a run has started: found by descent and by the run's token, ended and seen to be gone."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable

from studio.identity import Identity

TOKEN = "STUDIO_RUN_TOKEN"
_LOOK_SECONDS = 0.05


def members(token: str, roots: Iterable[int] = ()) -> list[Identity]:
    """The living processes whose environment holds the run's token, the descendants of `roots`, and theirs.

    Workers of torchrun live in sessions of their own and outlive a killed parent; the token, a random
    word set for the engine alone, finds them after their parent is gone. The caller is never among them.
    """
    import psutil

    children: dict[int, list[int]] = {}
    found: set[int] = set()
    for process in psutil.process_iter():
        try:
            children.setdefault(process.ppid(), []).append(process.pid)
            if token and process.environ().get(TOKEN) == token:
                found.add(process.pid)
        except psutil.Error:
            continue
    queue = [*found, *(child for root in roots for child in children.get(root, ()))]
    found.update(queue)
    while queue:
        for child in children.get(queue.pop(), ()):
            if child not in found:
                found.add(child)
                queue.append(child)
    found.discard(os.getpid())
    return [identity for pid in sorted(found) if (identity := Identity.of(pid))]


def end(token: str, roots: Iterable[int] = (), term_seconds: float = 3.0, kill_seconds: float = 10.0) -> list[Identity]:
    """TERM the whole family, then KILL it, looking again for newborns; returns who could not be ended (nobody)."""
    roots = tuple(roots)
    family = members(token, roots)
    if term_seconds > 0:
        tell(family, signal.SIGTERM)
        wait_gone(family, term_seconds)
    give_up = time.monotonic() + kill_seconds
    while (family := members(token, roots)) and time.monotonic() < give_up:
        tell(family, signal.SIGKILL)
        wait_gone(family, 1.0)
    return family


def tell(family: Iterable[Identity], number: signal.Signals) -> None:
    """Send each member the signal."""
    for member in family:
        member.send(number)


def wait_gone(family: Iterable[Identity], seconds: float) -> bool:
    """Wait until nobody lives, at most so long; whether nobody does. Reaps what is the caller's own child."""
    rest = list(family)
    give_up = time.monotonic() + seconds
    while rest := [member for member in rest if member.alive()]:
        if time.monotonic() >= give_up:
            return False
        time.sleep(_LOOK_SECONDS)
    return True
