"""What goes wrong while training: the run fails with its own sentence, and the last good checkpoint stays usable."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from studio.texts import say
from tests.cli.client import PROJECT, wait
from tests.trip.trip import PLAIN, Trip

pytestmark = pytest.mark.slow


def test_a_loss_that_is_no_number_keeps_the_last_checkpoint(trip: Trip) -> None:
    wild = ("finetuning_type=full", "optim=sgd", "max_grad_norm=0", "learning_rate=10", "lr_scheduler_type=constant")
    done = trip("train", "--json", "--name", "wild", *wild, "warmup_steps=6", "save_steps=1", "max_steps=60", *PLAIN)
    assert done.returncode == 1, done.stdout
    failure = trip.record("wild", "failure.json")
    assert failure["code"] == "loss_not_finite"
    last = failure["values"]["last"]
    assert trip.steps("wild")[-1] == last > 0
    assert say("en", "errors.loss_not_finite", **failure["values"]) in done.stderr
    assert all(loss == loss and abs(loss) < float("inf") for _, loss in trip.losses("wild"))


def test_a_poisoned_model_is_a_failure_with_a_sentence(trip: Trip, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    poisoned = tmp_path / "poisoned"
    shutil.copytree(PROJECT / "data" / "starter", poisoned)
    weights = load_file(poisoned / "model.safetensors")
    name = next(name for name in weights if "down_proj" in name)
    weights[name] = weights[name] * float("inf")
    save_file(weights, poisoned / "model.safetensors", metadata={"format": "pt"})
    done = trip("train", "--name", "poisoned", f"model_name_or_path={poisoned}", "max_steps=3", *PLAIN)
    assert done.returncode == 1
    assert trip.record("poisoned", "failure.json")["code"] == "loss_not_finite"
    assert trip.steps("poisoned") == []
    assert "Traceback" not in done.stderr


@pytest.fixture
def small_disk(tmp_path: Path):
    """A file system of a few megabytes."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", str(place)], capture_output=True)
    if made.returncode:
        pytest.skip("only root mounts a disk")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_full_disk_leaves_the_last_complete_checkpoint_usable(trip: Trip, small_disk: Path) -> None:
    full = Trip(small_disk)
    words = ("finetuning_type=full", "save_steps=2", "save_total_limit=50", "max_steps=30", *PLAIN)
    done = full("train", "--name", "big", *words)
    assert done.returncode == 1, done.stdout
    assert full.state("big") == "failed"
    assert "The disk is full" in done.stderr, done.stderr
    kept = full.steps("big")
    assert kept and kept == list(range(2, 2 * len(kept) + 1, 2))
    assert len(list((full.folder("big") / "checkpoints").iterdir())) == len(kept), "no half checkpoint lies about"
    shutil.rmtree(full.folder("big") / "checkpoints" / "step-2")
    shutil.rmtree(full.folder("big") / "checkpoints" / "step-4")
    again = full("runs", "resume", "big", "--json")
    assert again.returncode == 1
    assert full.steps("big")[-1] > kept[-1], "it went on from the last one as far as there was room"


def test_a_disk_without_any_room_still_tells_how_the_run_ended(trip: Trip, small_disk: Path) -> None:
    full = Trip(small_disk)
    full.start("brim", "max_steps=400", "save_steps=390", *PLAIN)
    wait(lambda: len(full.losses("brim")) > 2)
    with open(small_disk / "filler", "wb") as file:
        try:
            while True:
                os.write(file.fileno(), b"x" * 4096)
        except OSError:
            pass
    wait(lambda: full.state("brim") == "failed", 60)
    shown = full("runs", "show", "brim")
    assert "disk" in shown.stdout, (shown.stdout, full.console("brim")[-2000:])
    assert not full.family("brim")
    (small_disk / "filler").unlink()
    assert json.loads(full("runs", "show", "brim", "--json").stdout)["state"] == "failed"
