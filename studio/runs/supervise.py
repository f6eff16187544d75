"""The supervisor: starts a run's engine, watches it with next to no work, and writes how it ended.

    python -m studio.runs.supervise FOLDER LOCK_FD READY_FD COMMAND_AS_JSON

is what `studio.runs.start` runs. It imports nothing heavy, lives in a session of its own, holds the run's lock
and hands it down to the engine, so that no second engine can start while either lives. SIGHUP is ignored; SIGTERM
and SIGINT ask for an orderly stop, a second one for TERM, a third for KILL, as the `stop` file does.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from studio.identity import Identity, here
from studio.records import read_json, write_json
from studio.runs import family, outcome
from studio.runs.files import RunFolder
from studio.runs.ladder import Ladder

_LOOK_SECONDS = 0.5
_BEAT_SECONDS = 20.0


class Supervisor:
    """One engine and the folder it works in."""

    def __init__(self, folder: RunFolder, lock: int, command: list[str]) -> None:
        self.folder, self.lock, self.command = folder, lock, command
        self.token = secrets.token_hex(8)
        self.asks = 0
        self.engine = 0
        self.status: int | None = None
        self.process: dict[str, Any] = {
            "attempt": _attempt(folder), "token": self.token, "command": command, "started": time.time(),
            "supervisor": _own().as_json(), "engine": None,
        }

    def begin(self) -> None:
        """Write process.json and start the engine; raises OSError, and leaves nothing, when either cannot be."""
        self._listen()
        try:
            write_json(self.folder.process, self.process)
            outcome.reserve(self.folder)
            engine = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, start_new_session=True,
                                      pass_fds=(self.lock,), env={**os.environ, family.TOKEN: self.token})
        except OSError:
            self.folder.process.unlink(missing_ok=True)
            raise
        engine.returncode = 0  # reaped below by waitpid, beside orphans that the engine leaves to us
        self.engine = engine.pid
        identity = Identity.of(engine.pid) or Identity(engine.pid, "ended", here())
        self.process["engine"] = identity.as_json()
        _tolerant(write_json, self.folder.process, self.process)

    def watch(self) -> None:
        """Wait for the engine's end, looking at `stop` every half second; then end what it has left behind."""
        ladder = Ladder(self.folder, self.token, (os.getpid(),))
        beat = time.monotonic()
        while not self._reap():
            if self.asks and not self.folder.stop.exists():
                _tolerant(self.folder.stop.touch)
            ladder.climb(self.asks)
            if time.monotonic() - beat > _BEAT_SECONDS:
                beat = time.monotonic()
                _tolerant(os.utime, self.folder.process)
            self._sleep()
        left = family.end(self.token, (os.getpid(),))
        self._reap()
        code, name = _exit(self.status or 0)
        _tolerant(outcome.write, self.folder, _word(self.folder, code, ladder), exit_code=code, signal=name,
                  attempt=self.process["attempt"], escalated=ladder.has_escalated, left=[who.pid for who in left])

    def _listen(self) -> None:
        """Take signals as bytes in a pipe; handlers, unlike ignored signals, are not inherited by the engine."""
        self._inbox, outbox = os.pipe()
        os.set_blocking(self._inbox, False)
        os.set_blocking(outbox, False)
        signal.set_wakeup_fd(outbox, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._asked)
        for number in (signal.SIGCHLD, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def _asked(self, *_: object) -> None:
        self.asks += 1

    def _sleep(self) -> None:
        if select.select([self._inbox], [], [], _LOOK_SECONDS)[0]:
            os.read(self._inbox, 512)

    def _reap(self) -> bool:
        """Collect every child that has ended, adopted ones too; whether the engine has."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                if self.status is None:
                    self.status = 1 << 8
                return True
            if pid == 0:
                return self.status is not None
            if pid == self.engine:
                self.status = status


def _word(folder: RunFolder, code: int | None, ladder: Ladder) -> str:
    """finished, stopped or failed, told by the exit code, what was asked and what the engine said last."""
    phase = (read_json(folder.progress) or {}).get("phase")
    if code == 0:
        was_asked = ladder.level > 0 and phase != "finished"
        return "stopped" if phase == "stopped" or was_asked else "finished"
    said = (read_json(folder.failure) or {}).get("code")
    return "stopped" if ladder.has_escalated or said == "stopped" else "failed"


def _exit(status: int) -> tuple[int | None, str | None]:
    """(exit code, None) or (None, name of the signal that killed it)."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code, None
    try:
        return None, signal.Signals(-code).name
    except ValueError:
        return None, f"SIG{-code}"


def _attempt(folder: RunFolder) -> int:
    """1 for the first start of a run, one more for every resume."""
    try:
        return 1 + sum(name.isdigit() for name in os.listdir(folder.attempts))
    except OSError:
        return 1


def _own() -> Identity:
    identity = Identity.of(os.getpid())
    assert identity is not None
    return identity


def _tolerant(work: Callable[..., Any], *values: Any, **named: Any) -> None:
    """Do what the disk may refuse (full, folder taken away) without losing the engine over it; say so in the log."""
    try:
        work(*values, **named)
    except OSError as error:
        print(error, file=sys.stderr)


def _adopt_orphans() -> None:
    """Linux: become the parent of every descendant whose own parent dies, so that none can slip away."""
    if sys.platform.startswith("linux"):
        import ctypes

        pr_set_child_subreaper = 36
        ctypes.CDLL(None).prctl(pr_set_child_subreaper, 1, 0, 0, 0)


def main(argv: list[str]) -> int:
    """Detach, start, watch; 1 when the engine could not be started."""
    if os.fork():
        os._exit(0)
    folder, lock, ready, command = RunFolder(Path(argv[0])), int(argv[1]), int(argv[2]), json.loads(argv[3])
    os.set_inheritable(lock, False)
    os.set_inheritable(ready, False)
    _adopt_orphans()
    supervisor = Supervisor(folder, lock, command)
    answer = b"ok"
    try:
        supervisor.begin()
    except OSError as error:
        answer = f"{error.errno or 0} {error}".encode()
    _tolerant(os.write, ready, answer)
    os.close(ready)
    if not supervisor.engine:
        return 1
    supervisor.watch()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
