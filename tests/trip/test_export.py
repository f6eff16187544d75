"""The way home with the real engine: a run exported, told, listed and known again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.chats import lanes
from studio.data.mark import mark
from studio.exports import shelf
from studio.runs.files import RunFolder
from studio.workspace import Workspace
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
    assert found["path"] == str(trip.folder("home") / "export") and is_whole(RunFolder(trip.folder("home")),
                                                                             Path(found["path"]))
    assert set(found["acceptance"]) == {"state", "token_agreement", "max_logit_difference"}
    assert found["acceptance"]["state"] == "passed" and found["acceptance"]["token_agreement"] == 1.0
    assert all(set(one) == {"name", "bytes", "sha256"} for one in found["files"])
    names = {one["name"] for one in found["files"]}
    assert names >= {"model.safetensors", "config.json", "tokenizer.json", "acceptance.json", "README.md"}
    assert is_listed(trip, found)
    one = shelf.find("home", workspace)
    assert (one.run, one.step, one.form, one.verdict) == (taken, step, "merged", "passed") and one.is_there
    assert lanes.lane("home", workspace).base == Path(found["path"])


def is_listed(trip: Trip, found: dict[str, Any]) -> bool:
    """Whether list and show tell of the export, and its place is taken now."""
    line = next(line for line in trip.listed() if line["name"] == "home")
    assert (line["stage"], line["form"], line["state"]) == ("export", "merged", "finished")
    shown = trip("runs", "show", "home").stdout
    assert "model.safetensors" in shown and "Passed" in shown
    assert json.loads(trip("runs", "show", "home", "--json").stdout)["export"]["files"] == found["files"]
    again = trip("export", "starter", "export_dir=saves/home/export", *QUICK)
    return again.returncode == 2 and "exists already" in again.stderr
