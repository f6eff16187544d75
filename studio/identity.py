"""Identity: which process is meant, whatever becomes of its pid: pid, birth and host together."""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

_LINUX = sys.platform.startswith("linux")


@dataclass(frozen=True)
class Identity:
    """One process, for ever: a pid that is given out again has another birth."""

    pid: int
    birth: str
    host: str

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of a living process of this host; None when there is none (a zombie is none)."""
        birth = _birth(pid)
        return cls(pid, birth, here()) if birth else None

    @classmethod
    def read(cls, value: Any) -> Identity | None:
        """The identity in a JSON value; None when it is no such thing."""
        if not isinstance(value, dict):
            return None
        pid, birth, host = value.get("pid"), value.get("birth"), value.get("host")
        if isinstance(pid, int) and pid > 0 and isinstance(birth, str) and isinstance(host, str):
            return cls(pid, birth, host)
        return None

    def as_json(self) -> dict[str, Any]:
        """The fields for `process.json`."""
        return asdict(self)

    def alive(self) -> bool | None:
        """Whether this very process lives; None (unknown) when it belongs to another host or container."""
        if self.host != here():
            return None
        return _birth(self.pid) == self.birth

    def send(self, number: signal.Signals) -> bool:
        """Signal this very process and no other; False when it is gone or not ours to signal."""
        try:
            handle = os.pidfd_open(self.pid) if hasattr(os, "pidfd_open") else None
        except OSError:
            return False
        try:
            if not self.alive():
                return False
            if handle is None:
                os.kill(self.pid, number)
            else:
                signal.pidfd_send_signal(handle, number)
        except OSError:
            return False
        finally:
            if handle is not None:
                os.close(handle)
        return True


@cache
def here() -> str:
    """This host: its name and, on Linux, the pid namespace, because containers share neither pids nor fate."""
    name = os.uname().nodename
    try:
        return f"{name}/{os.readlink('/proc/self/ns/pid')[5:-1]}"
    except OSError:
        return name


@cache
def _boot() -> str:
    """Which start of the machine this is: births count from it."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()[:13]
    except OSError:
        return ""


def _birth(pid: int) -> str:
    """Boot and start time of a living process; empty for none and for a zombie."""
    if not _LINUX:
        return _birth_by_psutil(pid)
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return ""
    # proc_pid_stat(5), counted from the state that follows the name: 0 state, 19 start time in ticks since boot.
    if len(fields) < 20 or fields[0] in (b"Z", b"X"):
        return ""
    return f"{_boot()}:{int(fields[19])}"


def _birth_by_psutil(pid: int) -> str:
    import psutil

    try:
        process = psutil.Process(pid)
        return "" if process.status() == psutil.STATUS_ZOMBIE else f"{process.create_time():.2f}"
    except psutil.Error:
        return ""
