"""How long an evaluation still takes is said only once it can be known, and loading models is no part of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.engine.evaluate import ledger
from studio.engine.evaluate.ledger import LEAST_ANSWERS, LEAST_SECONDS, Ledger
from studio.scores.predictions import Prediction


class Clock:
    """A clock that goes when it is told to, and a recorder that keeps what it heard."""

    def __init__(self) -> None:
        self.now = 100.0
        self.heard: list[float | None] = []

    def monotonic(self) -> float:
        return self.now

    def progress(self, **figures: Any) -> None:
        self.heard.append(figures["eta_seconds"])


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(ledger, "time", found)
    return found


def answer(kept: Ledger, clock: Clock, rows: range, seconds: float) -> list[float | None]:
    """What is said of the rest while these rows are answered, one every so many seconds."""
    clock.heard = []
    for row in rows:
        clock.now += seconds
        kept.put(Prediction("m", row, "a", "b"))
    return clock.heard


def test_nothing_is_said_of_the_rest_until_enough_was_answered(tmp_path: Path, clock: Clock) -> None:
    with Ledger(tmp_path, ["m"], 1000, clock) as kept:
        clock.now += 60  # the model is loaded
        with kept.asking():
            early = answer(kept, clock, range(49), 0.2)
            assert set(early) == {None}
            assert answer(kept, clock, range(49, 52), 0.2)[-1] == pytest.approx(948 * 0.2, rel=0.01)


def test_of_many_slow_answers_it_is_said_after_some_seconds(tmp_path: Path, clock: Clock) -> None:
    with Ledger(tmp_path, ["m"], 100_000, clock) as kept, kept.asking():
        heard = answer(kept, clock, range(LEAST_ANSWERS + 10), 1.0)
        assert LEAST_SECONDS < LEAST_ANSWERS
        assert heard[:LEAST_ANSWERS - 1] == [None] * (LEAST_ANSWERS - 1)
        assert heard[-1] == pytest.approx(100_000 - len(heard))


def test_answers_given_side_by_side_count_once_all_places_had_one(tmp_path: Path, clock: Clock) -> None:
    with Ledger(tmp_path, ["m"], 200, clock, at_once=64) as kept, kept.asking():
        heard = answer(kept, clock, range(70), 0.1)
        assert set(heard[:63]) == {None} and heard[63] is not None


def test_what_was_answered_before_and_the_time_between_models_do_not_count(tmp_path: Path, clock: Clock) -> None:
    with Ledger(tmp_path, ["m"], 100, clock) as kept, kept.asking():
        answer(kept, clock, range(30), 5.0)
    with Ledger(tmp_path, ["m"], 100, clock) as kept:
        with kept.asking():
            assert answer(kept, clock, range(30, 45), 1.0) == [None] * 15
        clock.now += 500
        with kept.asking():
            assert answer(kept, clock, range(45, 55), 1.0)[-1] == pytest.approx(45.0)
