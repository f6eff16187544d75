"""Intervals and tests equal scipy 1.17.1 and statsmodels 0.15.0 (figures noted here), and hold what they promise."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from studio.scores import statistics
from studio.scores.statistics import Interval

SKEWED = [round(((i * 37) % 101 / 100) ** 3, 6) for i in range(60)]
STEEP = [round(((i * 53) % 97 / 96) ** 8, 6) for i in range(25)]
SCORES = st.lists(st.floats(0, 1) | st.just(float("nan")), max_size=60)


@pytest.mark.parametrize(("count", "total", "low", "high"), [  # statsmodels proportion_confint(method="wilson")
    (0, 20, 0.0, 0.1611251580528194), (1, 29, 0.006113214292762667, 0.17175521879320294),
    (15, 148, 0.06238639953073628, 0.16048724172330803), (81, 263, 0.2552885198782742, 0.36620957698280004),
    (20, 20, 0.8388748419471804, 1.0), (500, 100_000, 0.004581445312245603, 0.005456583669211609),
])
def test_wilsons_interval_is_that_of_statsmodels(count: int, total: int, low: float, high: float) -> None:
    assert statistics.wilson(count, total) == pytest.approx((low, high), abs=1e-12)


@pytest.mark.parametrize(("one", "other", "p"), [  # statsmodels mcnemar(exact=True)
    (3, 41, 1.6183321349672042e-09), (0, 5, 0.0625), (10, 12, 0.8318119049072266), (1, 1, 1.0),
    (25, 8, 0.004551384132355452), (400, 470, 0.019267052848609047), (0, 0, 1.0),
])
def test_mcnemars_test_is_that_of_statsmodels(one: int, other: int, p: float) -> None:
    assert statistics.mcnemar(one, other) == pytest.approx(p, rel=1e-9)
    assert statistics.mcnemar(other, one) == statistics.mcnemar(one, other)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemars_test_is_the_exact_binomial(one: int, other: int) -> None:
    total, least = one + other, min(one, other)
    exact = min(Fraction(1), Fraction(2 * sum(math.comb(total, k) for k in range(least + 1)), 2**total))
    assert statistics.mcnemar(one, other) == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize(("values", "low", "high"), [  # scipy.stats.bootstrap(method="BCa", n_resamples=200_000)
    (SKEWED, 0.18294671780962446, 0.3268852337401769), (STEEP, 0.030370511801254663, 0.1694068026826045),
])
def test_the_bootstrap_is_scipys(values: list[float], low: float, high: float) -> None:
    found = statistics.bootstrap(values, draws=100_000)
    assert found[:2] == pytest.approx((low, high), abs=0.003)
    assert found[2] == "bca"


def test_many_values_are_drawn_by_how_often_they_occur_and_say_the_same() -> None:
    values = np.random.default_rng(1).beta(2, 5, 20_000)
    spread = float(values.std(ddof=1)) / math.sqrt(len(values))
    drawn = statistics.means(values, 4_000, 0)
    assert drawn.std() == pytest.approx(spread, rel=0.05)
    assert drawn.mean() == pytest.approx(values.mean(), abs=spread / 10)
    few = statistics.means(np.round(values, 1), 4_000, 0)
    assert few.std() == pytest.approx(np.round(values, 1).std() / math.sqrt(len(values)), rel=0.05)


def test_holms_adjustment_is_that_of_statsmodels() -> None:
    assert statistics.adjusted([.01, .04, .03, .005, .2]) == pytest.approx([0.04, 0.09, 0.09, 0.025, 0.2])
    assert statistics.adjusted([]) == []


@pytest.mark.parametrize("share", [0.02, 0.3, 0.9])
def test_nineteen_intervals_in_twenty_hold_the_true_share(share: float) -> None:
    rng = np.random.default_rng(7)
    counts = rng.binomial(80, share, 4_000)
    held = np.mean([low <= share <= high for low, high in (statistics.wilson(int(one), 80) for one in counts)])
    assert held > 0.93


def test_nineteen_intervals_in_twenty_hold_the_true_difference() -> None:
    rng, held = np.random.default_rng(8), 0
    for _ in range(600):
        before = rng.random(120) < 0.4
        after = np.where(rng.random(120) < 0.3, ~before, before)  # 0.4 → 0.6 * 0.3 + 0.4 * 0.7 = 0.46
        found = statistics.paired(before.astype(float), after.astype(float))
        assert found is not None
        held += found.low <= 0.06 <= found.high
    assert held / 600 > 0.925


def test_chance_alone_is_called_a_difference_once_in_twenty() -> None:
    rng, called = np.random.default_rng(9), 0
    for seed in range(200):
        before, after = rng.random((2, 60))
        found = statistics.paired(before, after, seed)
        assert found is not None
        called += found.p < 0.05
    assert called / 200 < 0.1


@settings(max_examples=60, deadline=None)
@given(SCORES)
def test_an_interval_holds_its_score_and_stays_among_the_values(values: list[float]) -> None:
    found = statistics.interval(values)
    there = [one for one in values if one == one]
    assert found.n == len(there)
    if not there:
        assert found == Interval(None, None, None, 0, "none")
        return
    assert found.value is not None and found.low is not None and found.high is not None
    assert found.low - 1e-9 <= found.value <= found.high + 1e-9
    assert found.low >= (0 if found.how == "wilson" else min(there) - 1e-9)
    assert found.how == ("wilson" if set(there) <= {0, 1} else "bootstrap")
    assert statistics.interval(values) == found  # the same rows, the same figures


@settings(max_examples=60, deadline=None)
@given(SCORES)
def test_a_difference_turned_round_is_the_same_difference(values: list[float]) -> None:
    others = [1 - one for one in values]
    there, back = statistics.paired(values, others), statistics.paired(others, values)
    if there is None or back is None:
        assert there is back is None and not [one for one in values if one == one]
        return
    assert there.difference == pytest.approx(-back.difference)
    assert 0 <= there.p <= 1
    assert there.test == back.test


def test_too_few_rows_are_said_and_how_many_would_be_needed() -> None:
    before, after = [0.0] * 20, [1.0] * 3 + [0.0] * 17
    found = statistics.paired(before, after)
    assert found is not None and not found.enough and found.p == pytest.approx(0.25)
    assert found.needed is not None and 20 < found.needed < 100
    enough = statistics.paired(before * 20, after * 20)
    assert enough is not None and enough.enough and enough.needed is None


def test_two_that_answer_alike_on_many_rows_count_as_the_same_not_as_unknown() -> None:
    values = ([0.0, 1.0] * 1_000)
    found = statistics.paired(values, values)
    assert found is not None and found.enough and found.p == 1
    few = statistics.paired(values[:8], values[:8])
    assert few is not None and not few.enough


def test_needed_rows_find_the_difference_four_times_in_five() -> None:
    rng, gained, lost = np.random.default_rng(3), 0.15, 0.05
    needed = statistics._needed_shares(gained + lost, gained - lost)
    assert needed is not None
    draws = rng.multinomial(needed, [gained, lost, 1 - gained - lost], 2_000)
    told = np.mean([statistics.mcnemar(int(up), int(down)) < 0.05 for up, down, _ in draws])
    assert 0.74 < told < 0.86


@pytest.mark.parametrize(("low", "high", "scale", "digits"), [
    (0.53, 0.68, 100, 0), (0.606, 0.614, 100, 1), (0.61, 0.6104, 100, 2), (0.1, 0.9, 100, 0), (12.1, 12.9, 1, 1),
    (0.2, 0.3, 1, 2), (None, None, 100, 0), (0.5, 0.5, 1, 2),
])
def test_no_figure_has_more_digits_than_its_interval(low: float | None, high: float | None, scale: float,
                                                     digits: int) -> None:
    assert statistics.decimals(low, high, scale) == digits


def test_a_measure_of_all_rows_has_an_interval_too() -> None:
    rng = np.random.default_rng(2)
    for count in (100, 5_000):
        values = rng.normal(10, 2, count)
        found = statistics.interval_of_whole(lambda rows, v=values: float(v[rows].mean()), count)  # type: ignore[misc]
        assert found.low is not None and found.high is not None
        assert (found.high - found.low) / 2 == pytest.approx(1.96 * 2 / math.sqrt(count), rel=0.45)
    assert statistics.interval_of_whole(lambda rows: 1.0, 0).value is None
    assert statistics.interval_of_whole(lambda rows: 1.0, 1).low is None


@pytest.mark.parametrize("rows", [1, 2, 20, 150, 2_000])
def test_a_measure_that_suffers_from_rows_drawn_twice_lies_in_its_own_interval(rows: int) -> None:
    words = np.random.default_rng(4).integers(0, 3 * rows, rows)
    found = statistics.interval_of_whole(lambda chosen: len(set(words[chosen])) / len(chosen), rows)
    assert found.value is not None
    assert (found.low or 0) <= found.value <= (found.high or 1)
