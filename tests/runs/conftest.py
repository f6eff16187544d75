"""A workspace of its own for each test, engines that behave as asked, and nobody left alive afterwards."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.identity import Identity
from studio.records import read_json
from studio.runs import family
from studio.runs.files import RunFolder
from studio.runs.start import start
from studio.runs.store import RunStore
from studio.specs import train
from studio.workspace import Workspace

ENGINE = Path(__file__).parent / "an_engine.py"


class Bench:
    """What a test of runs needs at hand."""

    def __init__(self, root: Path) -> None:
        self.workspace = Workspace(root)
        self.store = RunStore(self.workspace)

    def spec(self, **values: Any) -> Any:
        return train.check(values)

    def create(self, name: str = "a-run", **values: Any) -> RunFolder:
        return self.store.create(self.spec(**values), name)

    def command(self, kind: str, folder: RunFolder, steps: int | None = None) -> list[str]:
        return [sys.executable, str(ENGINE), kind, str(folder.path), *([str(steps)] if steps else [])]

    def started(self, kind: str, steps: int | None = None, name: str = "a-run") -> RunFolder:
        folder = self.create(name)
        start(folder, self.workspace, self.command(kind, folder, steps))
        return folder

    @staticmethod
    def identity(folder: RunFolder, who: str) -> Identity:
        found = Identity.read((read_json(folder.process) or {}).get(who))
        assert found is not None
        return found


def wait_for(what: Callable[[], Any], seconds: float = 15.0) -> Any:
    """The first true answer; fails when there is none in time."""
    give_up = time.monotonic() + seconds
    while time.monotonic() < give_up:
        if answer := what():
            return answer
        time.sleep(0.02)
    raise AssertionError("waited in vain")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv("STUDIO_GRACE_SECONDS", "30")
    monkeypatch.setenv("STUDIO_TERM_SECONDS", "1")
    monkeypatch.delenv("STUDIO_ROOT", raising=False)
    found = Bench(tmp_path / "root")
    yield found
    saves = found.workspace.saves
    for record in [*saves.glob("*/process.json"), *saves.glob("*/attempts/*/process.json")]:
        process = read_json(record) or {}
        supervisor = Identity.read(process.get("supervisor"))
        family.end(str(process.get("token") or ""), term_seconds=0)
        if supervisor:
            family.wait_gone([supervisor], 10)


@pytest.fixture
def waiting() -> Callable[..., Any]:
    return wait_for


def bytes_read() -> int:
    """How many bytes this process has read so far: what a look costs, whatever else the machine is doing."""
    return int(re.search(r"rchar: (\d+)", Path("/proc/self/io").read_text())[1])
