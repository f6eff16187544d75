"""A stop ends an export in every phase, in good order, and resuming it brings it to its end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.records import read_json
from studio.runs.files import RunFolder
from studio.workspace import PROJECT, Workspace
from tests.cli.client import wait
from tests.exports.test_kills import CHILD, is_whole, made


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "saves").mkdir()
    return Workspace(tmp_path)


def begun(folder: RunFolder, workspace: Workspace, pause: float, most_bytes: int = 0) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "STUDIO_ROOT": str(workspace.root), "PYTHONPATH": str(PROJECT),
                   "OMP_NUM_THREADS": "1", "AN_EXPORT_PAUSE": str(pause), "AN_EXPORT_MOST_BYTES": str(most_bytes)}
    with open(folder.console, "ab") as console:
        return subprocess.Popen([sys.executable, str(CHILD), str(folder.path)], env=environment, stdout=console,
                                stderr=console, stdin=subprocess.DEVNULL)


def phase(folder: RunFolder) -> str:
    return str((read_json(folder.progress) or {}).get("phase"))


@pytest.mark.parametrize(("form", "when"), [("merged", "exporting"), ("merged", "accepting"), ("zip", "packing")])
def test_a_stop_leaves_nothing_under_the_name_and_can_be_resumed(form: str, when: str, workspace: Workspace) -> None:
    folder = made(workspace, "halted", export_to=form)
    target = folder.path / "export"
    child = begun(folder, workspace, 0.1)
    wait(lambda: phase(folder) == when or child.poll() is not None, 60)
    folder.stop.touch()
    assert child.wait(30) == 0, folder.console.read_text()
    assert phase(folder) == "stopped" and not target.exists() and not folder.failure.exists()
    if when == "exporting":
        assert not list(folder.path.glob(".*.part")), "what was half written is gone"
    folder.stop.unlink()
    assert begun(folder, workspace, 0.0).wait(60) == 0, folder.console.read_text()
    assert phase(folder) == "finished" and is_whole(folder, target)
    assert not list(folder.path.glob(".*.part"))


def test_a_disk_that_fills_up_in_mid_write_leaves_nothing_behind(workspace: Workspace) -> None:
    folder = made(workspace, "full", export_size=5)
    assert begun(folder, workspace, 0.0, most_bytes=500_000).wait(60) == 1, folder.console.read_text()
    assert (read_json(folder.failure) or {}).get("code") == "disk_full"
    assert not folder.export.exists() and not list(folder.path.glob(".*.part"))
    folder.failure.unlink()
    assert begun(folder, workspace, 0.0).wait(60) == 0 and is_whole(folder, folder.export)
