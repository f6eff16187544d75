"""Runs Python that nobody has read, in a process of its own that can reach nothing.

Layers, each by itself:
    a fresh process in an empty folder, without the environment's variables, with limits on time, memory and files
    namespaces of its own (`unshare`): no network at all, no other process in sight, all ends with the first process
    Landlock, the kernel's: only Python's own files can be read, only the empty folder can be written to
    Python's audit hook: sockets, new processes, foreign libraries, other files are refused, whatever the kernel knows
Where a machine has no namespaces or no Landlock, the audit hook alone stands for them, and `isolation` says so. The
hook holds against code that was written to do a task; it is no wall against code written to break out.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from studio.plugins.metrics import _sandboxed

NAMESPACES = ("--user", "--map-root-user", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child")
PROBE_SECONDS = 10.0
START_SECONDS = 30.0


@dataclass(frozen=True)
class Isolation:
    """What keeps the code apart: network "namespace" or "blocked", files "kernel" or "watched"."""

    network: str
    files: str
    possible: bool


@cache
def isolation() -> Isolation:
    """What this machine can do; asked once a process."""
    return Isolation("namespace" if _unshare() else "blocked",
                     "kernel" if _sandboxed.landlock_version() > 0 else "watched",
                     _has_limits())


def _has_limits() -> bool:
    try:
        import resource
    except ImportError:  # Windows
        return False
    return hasattr(resource, "setrlimit")


@cache
def _unshare() -> tuple[str, ...]:
    """The words before a command that give it namespaces of its own; () where the machine refuses them."""
    program = shutil.which("unshare")
    if not program or not sys.platform.startswith("linux"):
        return ()
    words = (program, *NAMESPACES, "--")
    try:
        done = subprocess.run([*words, "true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, timeout=PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return words if done.returncode == 0 else ()


def runs(programs: Sequence[str], seconds: float, memory_mb: int) -> bool:
    """Whether the programs run one after the other, in one space of names, to the end of the last."""
    told = secrets.token_hex(16)
    with tempfile.TemporaryDirectory(prefix="studio-code-", ignore_cleanup_errors=True) as folder:
        task = {"programs": [one for one in programs if one.strip()], "told": told, "folder": folder,
                "seconds": seconds, "memory_mb": memory_mb, "alone": bool(_unshare())}
        command = [*_unshare(), sys.executable, "-I", "-B", str(Path(_sandboxed.__file__).resolve())]
        child = subprocess.Popen(command, cwd=folder, env=_environment(folder), stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            return _answer(child, json.dumps(task).encode(), seconds) == told
        finally:
            _end(child)


def _environment(folder: str) -> dict[str, str]:
    """All that the code may know of its surroundings."""
    alone = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {"PATH": os.defpath, "HOME": folder, "TMPDIR": folder, "LANG": "C.UTF-8", **alone}


def _answer(child: subprocess.Popen[bytes], task: bytes, seconds: float) -> str:
    """What the child says at its end; its time begins when it has locked itself in. No more is read than is awaited."""
    assert child.stdin and child.stdout
    with contextlib.suppress(BrokenPipeError):
        child.stdin.write(task)
        child.stdin.close()
    if _read(child.stdout.fileno(), 1, START_SECONDS) != _sandboxed.READY:
        return ""
    return _read(child.stdout.fileno(), 64, seconds).decode("ascii", "replace")


def _read(pipe: int, most: int, seconds: float) -> bytes:
    """What comes out of a pipe until it ends, `most` bytes are there or the time is up."""
    deadline, said = time.monotonic() + seconds, b""
    while len(said) < most and (left := deadline - time.monotonic()) > 0:
        ready, _, _ = select.select([pipe], [], [], left)
        more = os.read(pipe, most - len(said)) if ready else b""
        if not more:
            break
        said += more
    return said


def _end(child: subprocess.Popen[bytes]) -> None:
    """End the child and everything it began."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
    for pipe in (child.stdin, child.stdout):
        if pipe:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
