"""Two real engines under torchrun, which puts its workers into sessions of their own."""

from __future__ import annotations

import signal

import pytest

from studio.records import read_json
from studio.runs import family, outcome, stop
from studio.runs.start import start
from studio.runs.state import State, state_of


@pytest.fixture
def pair(bench, waiting, monkeypatch):
    """A run of two processes that has begun to train, and its processes: torchrun and two workers at least."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = bench.create(nproc_per_node=2, max_steps=2000, max_samples=100, val_size=0, logging_steps=1)
    start(folder, bench.workspace)
    waiting(lambda: folder.log.exists() or not state_of(folder).is_live, 150)
    assert state_of(folder) is State.RUNNING, folder.console.read_text()
    members = family.members(read_json(folder.process)["token"])
    assert len(members) >= 3
    return folder, members


@pytest.mark.slow
def test_a_killed_torchrun_leaves_no_worker_behind(pair, bench, waiting) -> None:
    folder, members = pair
    bench.identity(folder, "engine").send(signal.SIGKILL)
    waiting(lambda: not state_of(folder).is_live, 40)
    assert state_of(folder) is State.FAILED and outcome.read(folder)["signal"] == "SIGKILL"
    assert not any(member.alive() for member in members)


@pytest.mark.slow
def test_a_third_stop_leaves_no_worker_behind(pair, waiting) -> None:
    folder, members = pair
    for _ in range(3):
        stop.ask(folder)
    waiting(lambda: not state_of(folder).is_live, 40)
    assert state_of(folder) is State.STOPPED
    assert not any(member.alive() for member in members)
