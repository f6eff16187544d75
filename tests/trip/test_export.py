"""The way home with the real engine: a run exported, killed, resumed, known again, and talked to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from studio.chats import lanes
from studio.data.mark import mark
from studio.exports import shelf
from studio.runs.files import RunFolder
from studio.workspace import Workspace
from tests.cli.client import wait
from tests.exports.test_kills import is_whole
from tests.trip.trip import Trip

QUICK = ("acceptance_rows=2", "cpu_threads=1")


@pytest.fixture(scope="module")
def taken(trip: Trip) -> str:
    """A short LoRA run."""
    trip.finished("taken", "max_steps=6", "logging_steps=2", "max_samples=64", "finetuning_type=lora", "lora_rank=4",
                  "dataset=number_words")
    return "taken"


def test_a_run_is_exported_and_known_again(trip: Trip, taken: str) -> None:
    workspace = Workspace(trip.root)
    step = lanes.lane(taken, workspace).step
    state = json.loads((trip.folder(taken) / "checkpoints" / f"step-{step}" / "state.json").read_text())
    assert state["base"] == mark(workspace.starter)
    done = trip("export", taken, "--to", "merged", "--name", "home", "export_dtype=fp32", *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["acceptance"]["state"] == "passed" and found["acceptance"]["token_agreement"] == 1.0
    assert is_whole(RunFolder(trip.folder("home")), Path(found["path"]))
    one = shelf.find("home", workspace)
    assert (one.run, one.step, one.form, one.verdict) == (taken, step, "merged", "passed") and one.is_there
    assert lanes.lane("home", workspace).base == Path(found["path"])


def test_an_export_whose_processes_are_killed_goes_on_where_it_was(trip: Trip, taken: str) -> None:
    done = trip("export", taken, "--to", "adapter", "--name", "hurt", "--detach", *QUICK)
    assert done.returncode == 0, done.stderr
    wait(lambda: trip.phase("hurt") == "accepting", 60)
    trip.kill("hurt", "supervisor", "engine")
    wait(lambda: trip.state("hurt") == "lost", 60)
    folder = RunFolder(trip.folder("hurt"))
    assert not folder.export.exists()
    found = trip.resumed("hurt")
    assert found["acceptance"]["state"] == "passed"
    assert is_whole(folder, Path(found["path"])) and not list(folder.path.glob(".*.part"))
