"""One arithmetic for the steps of a run."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.specs.auto import learning_rate, resolve
from studio.specs.schedule import MOST_HELD_OUT, held_out, schedule
from studio.specs.train import check


@pytest.mark.parametrize(("rows", "val_size", "wanted"), [
    (100, 0.05, 5), (100_000, 0.05, MOST_HELD_OUT), (100, 20, 20), (10, 20, 9), (1, 0.5, 0), (100, 0, 0), (3, 0.01, 1),
])
def test_held_out_rows(rows: int, val_size: float, wanted: int) -> None:
    assert held_out(rows, val_size) == wanted


@settings(deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 500))
def test_something_is_always_left_to_train_on(rows: int, val_size: float) -> None:
    assert 0 <= held_out(rows, val_size) < max(rows, 1)


@pytest.mark.parametrize(("draft", "total", "save_every"), [
    ({"num_train_epochs": 3, "save_steps": 10}, 75, 10),
    ({"num_train_epochs": 0.5, "save_strategy": "epoch"}, 13, 25),
    ({"max_steps": 7, "save_strategy": "no"}, 7, 7),
    ({"gradient_accumulation_steps": 4, "val_size": 0}, 21, 3),
])
def test_steps_of_a_run_of_twenty_five_batches(draft: dict[str, Any], total: int, save_every: int) -> None:
    found = schedule(check(draft), 25, 200, 0)
    assert (found.total, found.save_every) == (total, save_every)


def test_warm_up_by_steps_replaces_the_share() -> None:
    assert schedule(check({"warmup_steps": 9, "warmup_ratio": 0.5}), 25, 200, 0).warmup == 9
    assert schedule(check({"warmup_ratio": 0.1}), 25, 200, 0).warmup == 8


def test_evaluation_by_epoch_by_steps_and_never() -> None:
    assert schedule(check({"eval_strategy": "epoch"}), 25, 200, 10).evaluate_every == 25
    assert schedule(check({"eval_steps": 7}), 25, 200, 10).evaluate_every == 7
    assert schedule(check({"eval_strategy": "no"}), 25, 200, 10).evaluate_every == 0
    assert schedule(check({}), 25, 200, 0).evaluate_every == 0


@settings(deadline=None)
@given(st.integers(1, 10**5), st.integers(1, 300))
def test_an_evaluation_left_to_the_studio_happens_and_stays_rare(batches: int, eval_rows: int) -> None:
    found = schedule(check({}), batches, batches * 8, eval_rows)
    assert 1 <= found.total / found.evaluate_every <= 10.5 or found.evaluate_every <= found.total


def test_the_automatic_learning_rate_falls_with_size() -> None:
    for tuner in ("lora", "prefix", "freeze", "full"):
        rates = [learning_rate(tuner, size) for size in (10**6, 5 * 10**8, 7 * 10**9)]
        assert rates == sorted(rates, reverse=True)
    assert resolve(check({}), 10**6).learning_rate == learning_rate("lora", 10**6)
    assert resolve(check({"learning_rate": 1e-5}), 10**6).learning_rate == 1e-5
    assert resolve(check({}), None).learning_rate is None
