"""A run that was stopped or killed and resumed logs the very losses of the unbroken one."""

from __future__ import annotations

import pytest

from tests.cli.client import wait
from tests.trip.trip import Trip

pytestmark = pytest.mark.slow

# 18 steps an epoch; dropout draws, batches are joined and the order is drawn anew in every epoch.
EPOCHS = (
    "num_train_epochs=3",
    "max_samples=150",
    "per_device_train_batch_size=4",
    "gradient_accumulation_steps=2",
    "logging_steps=1",
    "save_steps=5",
)
WAYS = {"lora": ("finetuning_type=lora", "lora_dropout=0.2"), "full": ("finetuning_type=full", "learning_rate=1e-3")}
SECOND_EPOCH, STEPS = 20, 54


@pytest.mark.parametrize("way", WAYS)
def test_stopped_and_killed_runs_go_on_exactly(trip: Trip, way: str) -> None:
    names = [f"{way}-{one}" for one in ("unbroken", "stopped", "killed")]
    unbroken, stopped, killed = names
    trip.start(stopped, *EPOCHS, *WAYS[way])
    trip.start(killed, *EPOCHS, *WAYS[way])
    wait(lambda: len(trip.losses(stopped)) >= SECOND_EPOCH)
    with trip.held_until_stop(stopped):
        wait(lambda: len(trip.losses(killed)) >= SECOND_EPOCH)
        trip.kill(killed, "supervisor", "engine")
        trip.stopped(stopped, 30)
    assert trip.state(killed) == "lost"
    truth = dict(trip.losses(trip.finished(unbroken, *EPOCHS, *WAYS[way])["run"]))
    assert len(truth) == STEPS
    for name in (stopped, killed):
        before = len(trip.losses(name))
        assert SECOND_EPOCH <= before < STEPS, "the second epoch was broken off"
        trip.resumed(name)
        taken = trip.losses(name)
        assert [row["step"] for row in trip.rows(name) if row.get("event") == "resumed"]
        assert {step for step, _ in taken} == set(truth)
        for step, loss in taken:
            assert loss == pytest.approx(truth[step], abs=5e-5), f"step {step} of {name}"
    assert len(trip.losses(stopped)) == STEPS, "a stop loses no step"
    assert len(trip.losses(killed)) <= STEPS + 5, "a kill loses no more than the steps since the last checkpoint"
