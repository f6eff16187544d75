"""Mixing datasets: the same draws as `datasets.interleave_datasets` means them, and every row accounted for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some

from studio.data import mix

LENGTHS = some.lists(some.integers(0, 40), min_size=1, max_size=5)
STRATEGY = some.sampled_from(mix.STRATEGIES)


def sources(order: np.ndarray, lengths: list[int]) -> list[int]:
    return (np.searchsorted(np.cumsum(lengths), order, side="right")).tolist()


def test_in_turn_until_the_first_is_empty_until_all_are_seen_or_every_row_once() -> None:
    lengths = [2, 3]
    assert mix.order(lengths, "concat", [], 0).tolist() == [0, 1, 2, 3, 4]
    assert mix.order(lengths, "interleave_under", [], 0).tolist() == [0, 2, 1, 3]
    assert mix.order(lengths, "interleave_over", [], 0).tolist() == [0, 2, 1, 3, 0, 4]
    assert mix.order(lengths, "interleave_once", [], 0).tolist() == [0, 2, 1, 3, 4]


def test_shares_decide_how_often_each_is_drawn_and_need_not_add_up_to_one() -> None:
    lengths = [80_000, 80_000, 80_000]
    order = mix.order(lengths, "interleave_under", [6, 3, 1], 1)
    counts = np.bincount(sources(order, lengths)) / len(order)
    assert np.allclose(counts, [0.6, 0.3, 0.1], atol=0.01)
    assert 80_000 in np.bincount(sources(order, lengths))
    assert (order == mix.order(lengths, "interleave_under", [0.6, 0.3, 0.1], 1)).all()
    assert not np.array_equal(order, mix.order(lengths, "interleave_under", [6, 3, 1], 2))
    assert len(order) == pytest.approx(mix.expected(lengths, "interleave_under", [6, 3, 1]), rel=0.02)


@given(lengths=LENGTHS, strategy=STRATEGY, shares=some.lists(some.floats(0.1, 1), min_size=5, max_size=5),
       in_turn=some.booleans(), seed=some.integers(0, 9))
def test_each_strategy_keeps_its_promise_whatever_the_lengths(lengths, strategy, shares, in_turn, seed) -> None:
    weights = [] if in_turn else shares[:len(lengths)]
    order = mix.order(lengths, strategy, weights, seed)
    total, present = sum(lengths), [length for length in lengths if length]
    taken = np.bincount(order, minlength=total)
    if strategy in ("concat", "interleave_once") or len(present) < 2:
        assert (taken == 1).all() and len(order) == total
        return
    of_each = [taken[start:start + length] for start, length in zip(np.cumsum([0, *lengths]), lengths, strict=False)
               if length]
    for one in of_each:
        assert one.max() - one.min() <= 1 and (np.diff(one) <= 0).all(), "rows come in their order, evenly"
    if strategy == "interleave_under":
        assert taken.max() <= 1 and any(one.all() for one in of_each)
    else:
        assert taken.min() >= 1
    if in_turn:
        assert len(order) == mix.expected(lengths, strategy, weights)


@pytest.mark.parametrize("strategy", [one for one in mix.STRATEGIES if one != "concat"])
@pytest.mark.parametrize("lengths", [[3, 5, 2], [4, 4], [1, 7]])
def test_in_turn_is_what_datasets_does(strategy: str, lengths: list[int]) -> None:
    datasets = pytest.importorskip("datasets")
    ends = {"interleave_under": "first_exhausted", "interleave_over": "all_exhausted",
            "interleave_once": "all_exhausted_without_replacement"}
    starts = np.cumsum([0, *lengths])
    parts = [datasets.Dataset.from_dict({"place": list(range(start, start + length))})
             for start, length in zip(starts, lengths, strict=False)]
    theirs = datasets.interleave_datasets(parts, stopping_strategy=ends[strategy])["place"]
    assert mix.order(lengths, strategy, [], 0).tolist() == list(theirs)


def test_a_name_may_say_how_many_rows() -> None:
    assert mix.limited("alpaca#1000") == ("alpaca", 1000)
    assert mix.limited("alpaca@2#50") == ("alpaca@2", 50)
    for name in ("alpaca", "c#", "c#sharp", "alpaca#0"):
        assert mix.limited(name) == (name, None)
    assert mix.limited("set#3", {"set#3"}) == ("set#3", None)
