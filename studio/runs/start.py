"""Start and resume: claim the run's lock, hand it to a detached supervisor, and hear from it how it went."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from studio.errors import InputError, StudioError, WorkError
from studio.plugins import plugin
from studio.records import read_json
from studio.runs import family
from studio.runs.files import RunFolder
from studio.runs.state import State, state_of
from studio.specs import frozen
from studio.workspace import PROJECT, Workspace

_READY_SECONDS = 60.0
_LEAVE_SECONDS = 3.0
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


def start(folder: RunFolder, workspace: Workspace, command: Sequence[str] | None = None, *,
          lang: str | None = None, secrets: Mapping[str, str] | None = None) -> None:
    """Start a run that was only created; returns when its engine is a process.

    Raises InputError `run_running` when another start was first, `run_not_new` when it has run before, and
    WorkError `run_not_started`. `command` takes the place of the engine's own command line; the run's log
    speaks `lang`, else $STUDIO_LANG. `secrets` are variables of its environment, written down nowhere.
    """
    with claimed(folder) as lock:
        if folder.process.exists() and state_of(folder).is_live:
            raise InputError("run_running", name=folder.name)
        if folder.process.exists() or folder.outcome.exists():
            raise InputError("run_not_new", name=folder.name)
        _launch(folder, workspace, command, lock, lang, secrets or {})


def resume(folder: RunFolder, workspace: Workspace, command: Sequence[str] | None = None, *,
           lang: str | None = None, secrets: Mapping[str, str] | None = None) -> None:
    """Go on with a run that was stopped, failed or lost; the records of its last attempt move to `attempts/<n>/`.

    Raises InputError `run_running` or `run_finished`, and WorkError `run_not_started` with everything as it was.
    """
    with claimed(folder) as lock:
        state = state_of(folder)
        if state.is_live and folder.process.exists():
            raise InputError("run_running", name=folder.name)
        if state is State.FINISHED:
            raise InputError("run_finished", name=folder.name)
        _end_stragglers(folder)
        moved: list[tuple[Path, Path]] = []
        try:
            _put_away(folder, moved)
            _launch(folder, workspace, command, lock, lang, secrets or {})
        except (StudioError, OSError) as error:
            _put_back(folder, moved)
            raise refusal(error, folder.path) if isinstance(error, OSError) else error from None


@contextmanager
def claimed(folder: RunFolder) -> Iterator[int]:
    """Hold the run's lock; raises InputError `run_running` when a client, supervisor or engine holds it.

    The text in the lock file tells others that a start is under way; the lock itself is what counts, and it lives
    on in the supervisor and the engine, which inherit the descriptor.
    """
    try:
        lock = os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o644)
    except FileNotFoundError:
        raise InputError("run_unknown", name=folder.name, nearest="") from None
    except OSError as error:
        raise refusal(error, folder.path) from None
    try:
        _take(lock, folder)
        yield lock
    finally:
        os.close(lock)


def _take(lock: int, folder: RunFolder) -> None:
    """Lock; a supervisor that has written the outcome is given a moment to leave."""
    give_up = time.monotonic() + _LEAVE_SECONDS
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if not isinstance(error, BlockingIOError):
                raise refusal(error, folder.path) from None
        if state_of(folder).is_live or time.monotonic() > give_up:
            raise InputError("run_running", name=folder.name)
        time.sleep(0.02)


def refusal(error: OSError, path: Path) -> StudioError:
    """What the disk said, as an error with a sentence."""
    if error.errno in _NO_ROOM:
        return WorkError("disk_full", path=str(path))
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return InputError("saves_not_writable", path=str(path))
    return WorkError("disk_refuses", path=str(path), reason=error.strerror or str(error))


def engine_command(spec: Any, folder: RunFolder) -> list[str]:
    """The command line of the run's engine, as its launcher spells it."""
    launcher = getattr(spec, "launcher", "local")
    if launcher == "auto":
        launcher = "torchrun" if (spec.nproc_per_node or 1) > 1 else "local"
    return list(plugin("launchers", launcher).command(spec, folder.path, sys.executable))


def environment(spec: Any, workspace: Workspace, lang: str | None = None) -> dict[str, str]:
    """The environment of supervisor and engine: the user's own, and what the spec and good manners ask for."""
    user = dict(os.environ)
    paths = [str(PROJECT), *filter(None, [user.get("PYTHONPATH")])]
    ours = {"STUDIO_ROOT": str(workspace.root), "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1",
            "PYTHONSAFEPATH": "1", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_TELEMETRY": "1"}
    if lang:
        ours["STUDIO_LANG"] = lang
    if getattr(spec, "cpu_threads", None):
        ours |= {"OMP_NUM_THREADS": str(spec.cpu_threads), "MKL_NUM_THREADS": str(spec.cpu_threads)}
    if getattr(spec, "devices", None) is not None:
        ours["CUDA_VISIBLE_DEVICES"] = "" if spec.devices == "cpu" else spec.devices
    return {"OMP_WAIT_POLICY": "passive"} | user | ours


def _launch(folder: RunFolder, workspace: Workspace, command: Sequence[str] | None, lock: int,
            lang: str | None, secrets: Mapping[str, str]) -> None:
    spec, _ = frozen.thaw(folder.spec)
    command = list(command or engine_command(spec, folder))
    try:
        os.pwrite(lock, b"starting", 0)
        answer = _spawn(folder, workspace.root, command, {**environment(spec, workspace, lang), **secrets}, lock)
    except OSError as error:
        raise refusal(error, folder.path) from None
    finally:
        os.ftruncate(lock, 0)
    if answer != "ok":
        number, _, reason = answer.partition(" ")
        if number.isdigit() and int(number) in _NO_ROOM:
            raise refusal(OSError(int(number), reason), folder.path)
        raise WorkError("run_not_started", name=folder.name, reason=reason or "?")


def _spawn(folder: RunFolder, root: Path, command: list[str], env: Mapping[str, str], lock: int) -> str:
    """Start the supervisor and return its one word: ok, or why not."""
    ready, answer = os.pipe()
    console = os.open(folder.console, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        argv = [sys.executable, "-m", "studio.runs.supervise", str(folder.path.resolve()), str(lock), str(answer),
                json.dumps(command)]
        # What is started here forks at once and ends, so that the supervisor is nobody's child.
        child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, cwd=root, env=env,
                                 start_new_session=True, pass_fds=(lock, answer))
        os.close(answer)
        answer = -1
        child.wait()
        return _heard(ready)
    finally:
        for handle in (ready, answer, console):
            if handle >= 0:
                os.close(handle)


def _heard(ready: int) -> str:
    """All that the supervisor writes into its pipe; empty when it died without a word."""
    heard = b""
    while select.select([ready], [], [], _READY_SECONDS)[0]:
        part = os.read(ready, 4096)
        if not part:
            break
        heard += part
    return heard.decode(errors="replace")


def _end_stragglers(folder: RunFolder) -> None:
    """End what a killed attempt has left: torchrun's workers outlive it and would go on writing."""
    token = (read_json(folder.process) or {}).get("token")
    if isinstance(token, str) and token:
        family.end(token)


def _put_away(folder: RunFolder, moved: list[tuple[Path, Path]]) -> None:
    """Move the last attempt's records, noting each as it is moved.

    The outcome goes last, so that a reader never finds the run lost in between.
    """
    records = [path for path in (folder.process, folder.progress, folder.failure, folder.stop, folder.outcome)
               if path.exists()]
    if not records:
        return
    done = [int(path.name) for path in folder.attempts.glob("*") if path.name.isdigit()]
    room = folder.attempts / str(max(done, default=0) + 1)
    room.mkdir(parents=True)
    for path in records:
        os.replace(path, room / path.name)
        moved.append((path, room / path.name))


def _put_back(folder: RunFolder, moved: list[tuple[Path, Path]]) -> None:
    """Undo `_put_away`: the records at their places, and no empty room left."""
    for old, new in reversed(moved):
        os.replace(new, old)
    for room in [*folder.attempts.glob("*"), folder.attempts]:
        with suppress(OSError):  # what is not empty stays
            room.rmdir()
