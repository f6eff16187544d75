"""Stop works in every phase, ends in good order and leaves no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from studio.records import read_json
from studio.runs.files import RunFolder
from tests.engine.workbench import Studio, failure, losses, phase, wait_for_step

LONG = dict(num_train_epochs=500.0, val_size=0, save_steps=100_000)


def wait_for_phase(folder: RunFolder, *wanted: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if phase(folder) in wanted:
            return
        time.sleep(0.01)
    raise AssertionError(f"never {wanted}: {folder.console.read_text()}")


@pytest.mark.parametrize("moment", ["loading", "tokenising", "training"])
@pytest.mark.parametrize("how", ["file", "TERM", "INT"])
def test_a_stop_ends_every_phase_within_seconds(moment: str, how: str, studio: Studio, llama: str) -> None:
    folder = studio.run("run", model_name_or_path=llama, **LONG)
    process = studio.start(folder)
    wait_for_phase(folder, moment)
    asked = time.monotonic()
    if how == "file":
        folder.stop.touch()
    else:
        process.send_signal(getattr(signal, f"SIG{how}"))
    assert process.wait(timeout=15) == 0, folder.console.read_text()
    assert time.monotonic() - asked < 8
    assert phase(folder) == "stopped" and failure(folder) is None
    assert bool(folder.complete_steps()) == bool(folder.log.exists() and losses(folder))


def test_a_stop_during_evaluation_saves_the_step(studio: Studio, llama: str) -> None:
    folder = studio.run("run", model_name_or_path=llama, num_train_epochs=500.0, val_size=30, eval_steps=1,
                        save_steps=100_000, per_device_eval_batch_size=1)
    process = studio.start(folder)
    wait_for_phase(folder, "evaluating")
    folder.stop.touch()
    assert process.wait(timeout=15) == 0 and phase(folder) == "stopped"
    assert len(folder.complete_steps()) == 1


def test_a_hang_up_is_ignored(studio: Studio, llama: str) -> None:
    folder = studio.run("run", model_name_or_path=llama, **LONG)
    process = studio.start(folder)
    wait_for_phase(folder, "training")
    process.send_signal(signal.SIGHUP)
    time.sleep(0.5)
    assert process.poll() is None
    folder.stop.touch()
    assert process.wait(timeout=15) == 0


def test_two_processes_stop_together_and_leave_none(studio: Studio, llama: str) -> None:
    folder = studio.run("run", model_name_or_path=llama, nproc_per_node=2, **LONG)
    process = studio.start(folder, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    wait_for_step(folder, 1)
    family = [process.pid, *(child.pid for child in psutil.Process(process.pid).children(recursive=True))]
    assert len(family) >= 3
    folder.stop.touch()
    assert process.wait(timeout=30) == 0, folder.console.read_text()
    assert not [pid for pid in family if psutil.pid_exists(pid)]
    assert phase(folder) == "stopped" and folder.complete_steps()


def test_two_processes_learn_what_one_does(studio: Studio, llama: str) -> None:
    """Eleven micro-batches: the last step of an epoch has one for the first rank and none for the second."""
    draft = dict(model_name_or_path=llama, num_train_epochs=2.0, val_size=0)
    alone = studio.run("alone", gradient_accumulation_steps=2, per_device_train_batch_size=4, **draft)
    both = studio.run("both", gradient_accumulation_steps=1, per_device_train_batch_size=4, **draft)
    studio.here(alone)
    assert studio.engine(both, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2") == 0
    a, b = losses(alone), losses(both)
    assert a.keys() == b.keys() and all(abs(a[step] - b[step]) < 5e-5 for step in a)
    assert phase(both) == "finished" and both.complete_steps() == alone.complete_steps()


def test_eight_in_one_batch_learn_what_eight_single_ones_do(studio: Studio, llama: str) -> None:
    draft = dict(model_name_or_path=llama, num_train_epochs=2.0)
    together = studio.run("together", per_device_train_batch_size=8, gradient_accumulation_steps=1, **draft)
    single = studio.run("single", per_device_train_batch_size=1, gradient_accumulation_steps=8, **draft)
    studio.here(together)
    studio.here(single)
    a, b = losses(together), losses(single)
    assert a.keys() == b.keys() and all(abs(a[step] - b[step]) < 5e-5 for step in a)


def test_an_orphan_says_itself_how_it_ended(studio: Studio, llama: str, tmp_path: Path) -> None:
    from studio.identity import Identity
    from studio.records import write_json

    folder = studio.run("run", model_name_or_path=llama, max_steps=2)
    supervisor = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = Identity.of(supervisor.pid)
    assert identity is not None
    write_json(folder.process, {"supervisor": identity.as_json()})
    supervisor.communicate(b"\n")
    assert studio.engine(folder) == 0
    assert (read_json(folder.outcome) or {}).get("state") == "finished"
    assert os.path.exists(folder.outcome)
