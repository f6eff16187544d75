"""Killed at any moment, an export leaves nothing under its name, or all of it; STUDIO_KILLS says how often."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from studio.exports import admission, shelf
from studio.exports.place import digest
from studio.records import read_json
from studio.runs.files import RunFolder
from studio.runs.store import RunStore
from studio.workspace import PROJECT, Workspace

KILLS = int(os.environ.get("STUDIO_KILLS", "6"))
CHILD = Path(__file__).with_name("an_export.py")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "saves").mkdir()
    return Workspace(tmp_path)


def begun(folder: RunFolder, workspace: Workspace) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "STUDIO_ROOT": str(workspace.root), "PYTHONPATH": str(PROJECT), "OMP_NUM_THREADS": "1"}
    with open(folder.console, "ab") as console:
        return subprocess.Popen([sys.executable, str(CHILD), str(folder.path)], env=environment, stdout=console,
                                stderr=console, stdin=subprocess.DEVNULL, start_new_session=True)


def made(workspace: Workspace, name: str, **more: object) -> RunFolder:
    spec = admission.admit({"stage": "export", "model_name_or_path": "starter", "export_to": "merged",
                            "export_size": 0.0005, **more}, workspace)
    return RunStore(workspace).create(spec, name)


def is_whole(folder: RunFolder, target: Path) -> bool:
    """Whether the export stands; fails when a part of one does."""
    if not target.exists():
        return False
    record = read_json(folder.results / "export.json")
    assert record is not None, "a folder under the final name, and no record"
    there = sorted(path.relative_to(target).as_posix() for path in target.rglob("*") if path.is_file())
    assert there == [one["name"] for one in record["files"]]
    for one in record["files"]:
        assert digest(target / one["name"], lambda: None) == one["sha256"], one["name"]
    return True


def test_a_killed_export_leaves_nothing_or_all(workspace: Workspace) -> None:
    chance = random.Random(20)
    first = made(workspace, "first")
    began = time.monotonic()
    assert begun(first, workspace).wait(120) == 0, first.console.read_text()
    seconds = time.monotonic() - began
    assert is_whole(first, first.path / "export")
    killed, number, phases = 0, 0, set()
    while killed < KILLS:
        number += 1
        elsewhere = {"export_dir": f"out/{number}"} if number % 2 else {}
        folder = made(workspace, f"run{number}", **elsewhere)
        target = workspace.root / "out" / str(number) if number % 2 else folder.path / "export"
        done = False
        while not done:
            child = begun(folder, workspace)
            try:
                done = child.wait(chance.uniform(0.25, 1.05) * seconds) == 0
            except subprocess.TimeoutExpired:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()
                killed += 1
                phases.add((read_json(folder.progress) or {}).get("phase"))
            assert done or child.returncode == -signal.SIGKILL, folder.console.read_text()
            is_whole(folder, target)
            done = done or killed >= KILLS
        if child.returncode == 0:
            assert is_whole(folder, target)
            assert not list(target.parent.glob(".*.part"))
    assert phases - {"loading", None}, "every kill came before anything was written"
    assert all(one.is_there for one in shelf.exports(workspace) if one.path)
