"""Jobs: heavy work on data in a process of its own, which outlives the page that started it.

    python -m studio.data.jobs FOLDER

is what `start` runs: the kind named in the folder's `job.json`, a module of `studio.data.works`. A job is a folder
below `<cache>/jobs`; its state is computed from the files there, so that a page that was restarted finds it again.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import secrets
import shutil
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.data import works
from studio.errors import InputError, StopAsked, StudioError, WorkError
from studio.identity import Identity
from studio.records import read_json, write_json
from studio.workspace import PROJECT, Workspace

MOST_KEPT = 60
TELL_SECONDS = 0.2
GRACE_SECONDS = 10.0
NICENESS = 5
RUNNING, FINISHED, FAILED, CANCELLED = "running", "finished", "failed", "cancelled"
Tell = Callable[[int, int], None]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Look:
    """How a job stands: `state` is running, finished, failed or cancelled; `total` is 0 while it is not known.

    `result` is what the work returned, `failure` a code and the values of its sentence: {"code": …, "values": {…}}.
    """

    state: str
    done: int = 0
    total: int = 0
    result: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None


@dataclass(frozen=True)
class Job:
    """One job, wherever it was started from; its folder is all that is needed to find it again."""

    path: Path

    @property
    def name(self) -> str:
        """The job's name, which `find` takes."""
        return self.path.name

    @property
    def about(self) -> dict[str, Any]:
        """The kind, its arguments and when it was started; written once by `start`."""
        return read_json(self.path / "job.json") or {}

    @property
    def console(self) -> Path:
        """What the job printed, tracebacks too."""
        return self.path / "console.log"

    def look(self) -> Look:
        """How it stands now; a job that vanished without a word has failed with `job_lost`."""
        for _ in range(2):  # it may end between the two looks
            outcome = read_json(self.path / "outcome.json")
            if outcome is not None:
                return self._ended(outcome)
            if self._lives():
                return Look(RUNNING, *self._progress())
        return Look(FAILED, *self._progress(), failure={"code": "job_lost", "values": {"path": str(self.console)}})

    def cancel(self) -> None:
        """Ask it to stop; a job that does not within GRACE_SECONDS ends itself. What has ended stays as it is."""
        try:
            (self.path / "stop").touch()
        except FileNotFoundError:
            return  # put away in the meantime

    def wait(self, seconds: float) -> Look:
        """How it stands when it has ended, or after so many seconds."""
        give_up = time.monotonic() + seconds
        while (look := self.look()).state == RUNNING and time.monotonic() < give_up:
            time.sleep(0.05)
        return look

    def _lives(self) -> bool:
        who = Identity.read(read_json(self.path / "process.json"))
        return who is not None and who.alive() is not False

    def _progress(self) -> tuple[int, int]:
        told = read_json(self.path / "progress.json") or {}
        return int(told.get("done", 0)), int(told.get("total", 0))

    def _ended(self, outcome: Mapping[str, Any]) -> Look:
        return Look(str(outcome.get("state", FAILED)), *self._progress(), result=outcome.get("result"),
                    failure=outcome.get("failure"))


def start(workspace: Workspace, kind: str, arguments: Mapping[str, Any]) -> Job:
    """Start a job of a kind; `arguments` are what its `work` takes, as JSON can hold them.

    Raises WorkError disk_full, cache_not_writable or job_not_started, and ValueError for a kind that does not exist.
    """
    if kind not in kinds():
        raise ValueError(f"no work of the kind {kind}")
    room = workspace.cache / "jobs"
    folder = room / f"{time.strftime('%Y%m%d-%H%M%S')}-{kind}-{secrets.token_hex(3)}"
    try:
        _prune(room)
        folder.mkdir(parents=True)
        write_json(folder / "job.json", {"kind": kind, "arguments": dict(arguments), "started": time.time(),
                                         "root": str(workspace.root)})
        code = _spawn(folder, workspace)
    except OSError as error:
        reason = error.strerror or str(error)
        raise WorkError("cache_not_writable", path=str(folder), reason=reason) from error
    if code:
        raise WorkError("job_not_started", path=str(folder / "console.log"))
    return Job(folder)


def kinds() -> tuple[str, ...]:
    """The names of the kinds of work, found by being in the room."""
    return tuple(sorted(found.name for found in pkgutil.iter_modules(works.__path__)))


def find(workspace: Workspace, name: str) -> Job:
    """The job of this name; raises InputError job_unknown."""
    folder = workspace.cache / "jobs" / name
    if os.sep in name or name.startswith(".") or not (folder / "job.json").is_file():
        raise InputError("job_unknown", name=name)
    return Job(folder)


def listed(workspace: Workspace, kind: str | None = None) -> list[Job]:
    """The jobs that are remembered, the newest first; those of one kind if it is given."""
    found = sorted((workspace.cache / "jobs").glob("*/job.json"), key=lambda path: path.parent.name, reverse=True)
    jobs = [Job(path.parent) for path in found]
    return [job for job in jobs if kind is None or job.about.get("kind") == kind]


def _spawn(folder: Path, workspace: Workspace) -> int:
    """Start the program and wait until the process that does the work is written down; 0 when it is."""
    paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "STUDIO_ROOT": str(workspace.root), "PYTHONPATH": os.pathsep.join(paths),
           "PYTHONSAFEPATH": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    with open(folder / "console.log", "ab") as console:
        # What is started here forks at once and ends, so that the worker is nobody's child.
        return subprocess.run([sys.executable, "-m", "studio.data.jobs", str(folder.resolve())], env=env,
                              stdin=subprocess.DEVNULL, stdout=console, stderr=console, start_new_session=True,
                              cwd=folder, check=False).returncode


def _prune(room: Path) -> None:
    """Let go of the oldest jobs that have ended."""
    folders = sorted((path for path in room.glob("*") if path.is_dir()), key=lambda path: path.name, reverse=True)
    for folder in folders[MOST_KEPT:]:
        if Job(folder).look().state != RUNNING:
            shutil.rmtree(folder, ignore_errors=True)


class _Worker:
    """The program's own side of a job: the only writer of progress and outcome."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.about = Job(folder).about
        self._told = 0.0
        self._last = (0, 0)
        self._ending = threading.Lock()

    def run(self) -> None:
        """Do the work and write how it ended."""
        threading.Thread(target=self._see_to_the_stop, daemon=True).start()
        try:
            module = importlib.import_module(f"studio.data.works.{self.about['kind']}")
            workspace = Workspace(Path(self.about["root"]))
            result = module.work(self.about["arguments"], workspace, self.tell, self.should_stop)
        except StopAsked:
            self._end(CANCELLED)
        except StudioError as error:
            self._end(FAILED, failure={"code": error.code, "values": _plain(error.values)})
        except BaseException as error:  # whatever it is, whoever started the job is to hear of it
            traceback.print_exc()
            self._end(FAILED, failure=_failure(error, self.folder))
        else:
            self._end(FINISHED, result=result)

    def tell(self, done: int, total: int) -> None:
        """Write how far it is, a few times a second."""
        self._last = (done, total)
        if time.monotonic() - self._told >= TELL_SECONDS:
            self._told = time.monotonic()
            self._write_progress()

    def should_stop(self) -> bool:
        """Whether somebody asked it to stop."""
        return (self.folder / "stop").exists()

    def _see_to_the_stop(self) -> None:
        """End the process when the work goes on in spite of being asked to stop."""
        while not self.should_stop():
            time.sleep(0.5)
        time.sleep(GRACE_SECONDS)
        self._end(CANCELLED)
        os._exit(1)

    def _write_progress(self) -> None:
        write_json(self.folder / "progress.json", {"done": self._last[0], "total": self._last[1]})

    def _end(self, state: str, **more: Any) -> None:
        with self._ending:
            if not (self.folder / "outcome.json").exists():
                self._write_progress()
                write_json(self.folder / "outcome.json", {"state": state, "ended": time.time(), **more})


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a sentence as JSON can hold them."""
    return {name: value if isinstance(value, int | float | str) else str(value) for name, value in values.items()}


def _failure(error: BaseException, folder: Path) -> dict[str, Any]:
    if isinstance(error, MemoryError):
        return {"code": "job_memory", "values": {}}
    if isinstance(error, OSError):
        values = {"path": str(error.filename or folder), "reason": error.strerror or str(error)}
        return {"code": "disk_refuses", "values": values}
    return {"code": "job_broken", "values": {"kind": type(error).__name__, "reason": str(error),
                                             "path": str(folder / "console.log")}}


def main(argv: list[str]) -> int:
    """Fork, write down who works, and work; 1 when that cannot be written."""
    folder = Path(argv[0])
    ready, go = os.pipe()
    child = os.fork()
    if child:
        os.close(ready)
        who = Identity.of(child)
        if who is None:
            return 1
        write_json(folder / "process.json", who.as_json())
        os.write(go, b"1")
        os._exit(0)
    os.close(go)
    if not os.read(ready, 1):
        os._exit(1)
    os.nice(NICENESS)
    _Worker(folder).run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
