"""The whole trip with the real engine: runs made by the command line, watched and hurt from outside."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from studio.identity import Identity
from tests.cli.client import Client, wait

# Half a minute of steps that take a tenth of a second each: time enough to be stopped in, soon over when resumed.
PLAIN = ("logging_steps=1", "eval_strategy=no", "max_samples=400")


@dataclass(frozen=True)
class Trip(Client):
    """The command line below one root, with an eye on the files and processes of its runs."""

    def start(self, name: str, *words: str) -> Path:
        """A run started and left alone; its folder."""
        done = self("train", "--detach", "--name", name, *words)
        assert done.returncode == 0, done.stderr
        return self.folder(name)

    def finished(self, name: str, *words: str) -> dict[str, Any]:
        """A run trained to its end; what `--json` says of it."""
        return self._followed("train", "--name", name, *words)

    def resumed(self, name: str) -> dict[str, Any]:
        """A run resumed to its end."""
        return self._followed("runs", "resume", name)

    def _followed(self, *words: str) -> dict[str, Any]:
        done = self(*words, "--json")
        assert done.returncode == 0, done.stderr + done.stdout
        found: dict[str, Any] = json.loads(done.stdout)
        assert found["state"] == "finished", (found, done.stderr)
        return found

    def folder(self, name: str) -> Path:
        return self.root / "saves" / name

    def record(self, name: str, file: str) -> dict[str, Any]:
        """A JSON file of a run; empty while there is none."""
        try:
            found: dict[str, Any] = json.loads((self.folder(name) / file).read_text())
        except (OSError, ValueError):
            return {}
        return found

    def phase(self, name: str) -> str:
        return str(self.record(name, "progress.json").get("phase", ""))

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The lines of the run's log."""
        try:
            lines = (self.folder(name) / "trainer_log.jsonl").read_text().splitlines()
        except OSError:
            return []
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue  # the half line of an engine that was killed while it wrote
        return found

    def losses(self, name: str) -> list[tuple[int, float]]:
        """(step, loss) of every logged step, those that were taken twice too."""
        return [(row["step"], row["loss"]) for row in self.rows(name) if "loss" in row]

    def steps(self, name: str) -> list[int]:
        """The steps of the complete checkpoints."""
        found = (self.folder(name) / "checkpoints").glob("step-*/complete")
        return sorted(int(path.parent.name.removeprefix("step-")) for path in found)

    def pid(self, name: str, who: str) -> int:
        """The pid of the run's `supervisor` or `engine`."""
        return int(self.record(name, "process.json")[who]["pid"])

    def kill(self, name: str, *who: str) -> None:
        """SIGKILL, and wait until the process is no more."""
        identities = [Identity.read(self.record(name, "process.json")[one]) for one in who]
        for identity in identities:
            assert identity is not None
            os.kill(identity.pid, signal.SIGKILL)
        wait(lambda: not any(identity and identity.alive() for identity in identities), 20)

    def family(self, name: str) -> list[psutil.Process]:
        """Every living process that belongs to a run: by its folder in the command line, its token, its parents."""
        folder, token = str(self.folder(name)), self.record(name, "process.json").get("token")
        found: dict[int, psutil.Process] = {}
        for process in psutil.process_iter():
            try:
                is_ours = folder in " ".join(process.cmdline()) or (
                    token and process.environ().get("STUDIO_RUN_TOKEN") == token
                )
                if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                    found |= {one.pid: one for one in (process, *process.children(recursive=True))}
            except psutil.Error:
                continue
        return list(found.values())

    def stopped(self, name: str, seconds: float) -> float:
        """Ask once for a stop and see the run end as stopped, with nobody left; the seconds that it took."""
        family, began = self.family(name), time.monotonic()
        done = self("runs", "stop", name)
        assert done.returncode == 0, done.stderr
        took = time.monotonic() - began
        assert self.state(name) == "stopped", (self.state(name), done.stdout, self.console(name))
        assert took < seconds
        wait(lambda: not [one for one in (*family, *self.family(name)) if is_alive(one)], 10)
        assert self.record(name, "outcome.json")["escalated"] is False
        return took

    @contextmanager
    def held_until_stop(self, name: str) -> Iterator[None]:
        """Hold the run's engine still until somebody asks it to stop: on a busy machine it would be done before."""
        engine, asked = self.pid(name, "engine"), self.folder(name) / "stop"
        os.kill(engine, signal.SIGSTOP)
        over = threading.Event()

        def let_go() -> None:
            while not asked.exists() and not over.wait(0.05):
                continue
            with suppress(ProcessLookupError):
                os.kill(engine, signal.SIGCONT)

        watcher = threading.Thread(target=let_go, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            over.set()
            watcher.join()

    def console(self, name: str) -> str:
        return (self.folder(name) / "console.log").read_text(errors="replace")


def is_alive(process: psutil.Process) -> bool:
    """Whether the very process still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
