"""Whoever is killed, the disk says the truth, and what can go on does."""

from __future__ import annotations

import json
import os
import signal

import pytest

from tests.cli.client import wait
from tests.trip.trip import PLAIN, Trip

pytestmark = pytest.mark.slow

SHORT = ("max_steps=40", "save_steps=5", *PLAIN)


def test_kills_of_engine_and_supervisor(trip: Trip) -> None:
    """Two runs side by side: one loses its engine, one its supervisor."""
    trip.start("engine-killed", *SHORT)
    trip.start("orphan", *SHORT)
    wait(lambda: len(trip.losses("engine-killed")) > 6)
    trip.kill("engine-killed", "engine")
    wait(lambda: trip.state("engine-killed") == "failed", 20)
    assert trip.record("engine-killed", "outcome.json")["signal"] == "SIGKILL"
    shown = trip("runs", "show", "engine-killed")
    assert "SIGKILL" in shown.stdout
    wait(lambda: len(trip.losses("orphan")) > 2)
    trip.kill("orphan", "supervisor")
    assert trip.state("orphan") in ("running", "finished")
    refused = trip("runs", "resume", "orphan")
    assert refused.returncode == 2, "what is at work is not started twice"
    wait(lambda: trip.state("orphan") == "finished")
    assert trip.record("orphan", "outcome.json")["orphaned"] is True
    assert [step for step, _ in trip.losses("orphan")] == list(range(1, 41))
    assert trip.resumed("engine-killed")["steps"] == 40
    wait(lambda: not trip.family("orphan") and not trip.family("engine-killed"), 20)


def test_a_killed_client_leaves_a_run_that_finishes(trip: Trip) -> None:
    client = trip.begin("train", "--name", "kept", *SHORT, start_new_session=True)
    wait(lambda: len(trip.losses("kept")) > 2)
    os.killpg(client.pid, signal.SIGKILL)
    client.communicate(timeout=20)
    wait(lambda: trip.state("kept") == "finished")
    assert trip.steps("kept")[-1] == 40


def test_two_clients_with_one_name_make_one_run(trip: Trip) -> None:
    both = [trip.begin("train", "--detach", "--json", "--name", "twin", "max_steps=1", *PLAIN) for _ in range(2)]
    said = [process.communicate(timeout=60) for process in both]
    assert sorted(process.returncode for process in both) == [0, 2], said
    refused = next(err for process, (_, err) in zip(both, said, strict=True) if process.returncode)
    assert "twin" in refused and refused.count("\n") == 1
    unnamed = [trip.begin("train", "--detach", "--json", "max_steps=1", *PLAIN) for _ in range(2)]
    names = {json.loads(process.communicate(timeout=60)[0])["run"] for process in unnamed}
    assert len(names) == 2
    for name in ("twin", *names):
        wait(lambda name=name: trip.state(name) == "finished")
