"""Buckets, agreement of judges, differences of words, rows that were trained on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio.errors import StopAsked
from studio.sample import Message, Sample
from studio.scores import compare, kappa, leaks, words

NAN = float("nan")


def test_every_row_falls_into_its_bucket() -> None:
    found = compare.buckets(np.array([0, 1, 1, 0, NAN, 1]), np.array([1, 0, 1, 0, 1, NAN]), 1.0)
    assert [compare.ALL_BUCKETS[code] for code in found.codes] == [
        "fixed", "broken", "same_right", "same_wrong", "unknown", "unknown"]
    assert found.counts == {"fixed": 1, "broken": 1, "same_right": 1, "same_wrong": 1, "unknown": 2}
    assert found.rows("fixed").tolist() == [0]


def test_where_less_is_better_falling_below_the_threshold_is_fixing() -> None:
    found = compare.buckets(np.array([9.0, 1.0]), np.array([1.0, 9.0]), 5.0, higher=False)
    assert found.counts["fixed"] == found.counts["broken"] == 1
    assert found.rows("fixed").tolist() == [0]


@pytest.mark.parametrize(("metric", "scores", "threshold"), [
    ("exact_match", [0, 1, 1], 1.0), ("token_f1", [0.2, 0.9], 0.5), ("perplexity", [2.0, 4.0, 8.0], 4.0)])
def test_each_metric_has_its_threshold(metric: str, scores: list[float], threshold: float) -> None:
    assert compare.threshold_of(metric, np.array(scores, float)) == threshold
    assert compare.threshold_of(metric, np.array(scores, float), chosen={metric: 0.7}) == 0.7


def test_of_losses_less_is_better() -> None:
    assert not compare.is_higher("perplexity_byte") and compare.is_higher("accuracy")


def test_a_metric_that_is_no_share_is_parted_in_its_middle() -> None:
    assert compare.threshold_of("length_ratio", np.array([0.5, 1.0, 4.0])) == 1.0


# Two who judge: figures of statsmodels 0.15.0, cohens_kappa.

ONE = [(i * 7) % 4 for i in range(60)]
OTHER = [one if i % 3 else (one + 1) % 4 for i, one in enumerate(ONE)]


def test_kappa_is_that_of_statsmodels() -> None:
    found = kappa.agreement(ONE, OTHER)
    assert (found.kappa, found.low, found.high) == pytest.approx(
        (0.5555555555555555, 0.3965160761140304, 0.7145950349970805))
    weighted = kappa.agreement(ONE, OTHER, order=(0, 1, 2, 3))
    assert (weighted.kappa, weighted.low, weighted.high) == pytest.approx(
        (0.6, 0.36335695017481884, 0.8366430498251813))
    assert found.word == "moderate" and found.enough and found.share == pytest.approx(2 / 3)


def test_a_missing_verdict_is_missing_and_not_a_zero() -> None:
    with_missing = kappa.agreement([*ONE, None, "a"], [*OTHER, "a", None])
    assert with_missing == kappa.agreement(ONE, OTHER)


def test_agreement_that_nothing_can_be_said_of_is_not_called_perfect() -> None:
    assert kappa.agreement([], []).word == "unknown"
    assert kappa.agreement(["a"] * 30, ["a"] * 30).kappa is None
    assert not kappa.agreement(["a", "b"], ["a", "b"]).enough


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=40))
def test_who_agrees_with_himself_agrees(verdicts: list[str]) -> None:
    found = kappa.agreement(verdicts, verdicts)
    assert found.share == 1 and (found.kappa is None or found.kappa == pytest.approx(1))


# Words.

@given(st.text(max_size=80), st.text(max_size=80))
def test_a_difference_holds_both_texts(before: str, after: str) -> None:
    parts = words.difference(before, after)
    assert "".join(text for kind, text in parts if kind != words.NEW) == before
    assert "".join(text for kind, text in parts if kind != words.GONE) == after


def test_words_stay_whole_and_chinese_goes_by_character() -> None:
    assert words.difference("the sum is 12.5", "the sum is 13") == [
        ("same", "the sum is "), ("gone", "12.5"), ("new", "13")]
    assert words.difference("\u7b54\u6848\u662f\u4e09", "\u7b54\u6848\u662f\u56db") == [
        ("same", "\u7b54\u6848\u662f"), ("gone", "\u4e09"), ("new", "\u56db")]
    assert len(words.difference("a b " * 5_000, "b a " * 5_000)) == 2


# Leaks.

def sample(question: str) -> Sample:
    return Sample((Message("user", question), Message("assistant", "yes")))


def test_rows_that_were_trained_on_are_found() -> None:
    long = "Tell me in three sentences why the sky over the sea is blue on a clear summer day{}"
    trained = [sample("What is  2 + 2?"), sample(long.format(".")), sample("Who are you?")]
    asked = [(10, sample("what is 2 + 2?")), (11, sample(long.format("!"))), (12, sample("Where is Rome?"))]
    found = leaks.leaks(asked, trained)
    assert (found.exact, found.near, found.rows) == ((10,), (11,), 3)
    assert [found.kind(row) for row in (10, 11, 12)] == ["exact", "near", ""]
    assert leaks.leaks(asked, []).count == 0


def test_looking_for_leaks_can_be_called_off() -> None:
    with pytest.raises(StopAsked):
        leaks.leaks([(0, sample("a"))], [sample("b")], should_stop=lambda: True)
