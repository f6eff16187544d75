"""Stop in every phase: within seconds, as stopped, with nobody left behind; and resumed to the end."""

from __future__ import annotations

import json
import random
import time

import pytest

from tests.cli.client import wait
from tests.trip.trip import PLAIN, Trip

pytestmark = pytest.mark.slow

SECONDS = 10.0  # "within seconds", on a machine with other work


def dataset(trip: Trip, name: str, rows: int) -> None:
    """A dataset of its own, so that no cache knows it."""
    draw = random.Random(name)
    trip.root.joinpath("data").mkdir(exist_ok=True)
    text = [
        {"instruction": f"Spell the number {draw.randrange(10**6)}.", "output": f"number {draw.randrange(10**6)}"}
        for _ in range(rows)
    ]
    (trip.root / "data" / f"{name}.json").write_text(json.dumps(text))


def until(trip: Trip, name: str, phase: str) -> None:
    """Wait for a phase, looking often: some are over in a moment."""
    end = time.monotonic() + 60
    while (seen := trip.phase(name)) != phase:
        assert time.monotonic() < end and seen not in ("finished", "failed"), (seen, trip.console(name))
        time.sleep(0.002)


def test_stop_while_loading_and_resume_to_the_end(trip: Trip) -> None:
    trip.start("stop-loading", *PLAIN, "max_steps=2")
    until(trip, "stop-loading", "loading")
    trip.stopped("stop-loading", SECONDS)
    assert trip.losses("stop-loading") == []
    assert trip.resumed("stop-loading")["steps"] == 2


def test_stop_while_tokenising_and_resume_to_the_end(trip: Trip) -> None:
    dataset(trip, "large", 80_000)
    trip.start("stop-tokenising", "logging_steps=1", "eval_strategy=no", "dataset=large", "max_steps=2")
    until(trip, "stop-tokenising", "tokenising")
    wait(lambda: trip.record("stop-tokenising", "progress.json").get("done"))
    trip.stopped("stop-tokenising", SECONDS)
    assert trip.losses("stop-tokenising") == []
    assert trip.resumed("stop-tokenising")["steps"] == 2


def test_stop_while_evaluating_at_the_very_end_keeps_what_was_learned(trip: Trip) -> None:
    dataset(trip, "examined", 2000)
    words = ("eval_dataset=examined", "eval_steps=100", "save_steps=100", "logging_steps=1", "max_steps=3")
    trip.start("stop-last", *words, "per_device_eval_batch_size=4")
    until(trip, "stop-last", "evaluating")
    trip.stopped("stop-last", SECONDS)
    assert trip.steps("stop-last") == [3]
    assert trip.resumed("stop-last")["eval_loss"] > 0


def test_stop_while_saving_and_resume_to_the_end(trip: Trip) -> None:
    words = ("finetuning_type=full", "save_steps=1", "save_total_limit=100", "max_steps=40", *PLAIN)
    trip.start("stop-saving", *words)
    wait(lambda: len(trip.steps("stop-saving")) > 1)
    until(trip, "stop-saving", "saving")
    trip.stopped("stop-saving", SECONDS)
    last = trip.losses("stop-saving")[-1][0]
    assert last < 40
    assert trip.steps("stop-saving")[-1] == last
    assert len(list((trip.folder("stop-saving") / "checkpoints").iterdir())) == last
    assert trip.resumed("stop-saving")["steps"] == 40


def test_stop_of_two_processes_under_torchrun_and_resume_to_the_end(trip: Trip) -> None:
    name = "stop-torchrun"
    words = ("launcher=torchrun", "nproc_per_node=2", "max_steps=30", "per_device_train_batch_size=16", *PLAIN)
    trip.start(name, *words)  # 25 batches an epoch: at its end one process has one less than the other
    wait(lambda: len(trip.losses(name)) > 2)
    assert len(trip.family(name)) >= 4, "the supervisor, torchrun and two workers"
    trip.stopped(name, SECONDS + 5)
    last = trip.losses(name)[-1][0]
    assert last < 30
    assert trip.steps(name)[-1] == last
    trip.resumed(name)
    assert [step for step, _ in trip.losses(name)] == list(range(1, 31))
