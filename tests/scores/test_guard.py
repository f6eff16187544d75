"""The forgetting guard: its suite, what it calls right, and its verdict in plain words."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from studio.errors import InputError
from studio.scores import guard, summary
from studio.scores.guard import GENERAL, Guard
from studio.scores.predictions import Prediction
from studio.scores.report import verdict
from studio.scores.statistics import WILSON, Interval
from studio.scores.summary import Summary
from studio.texts import LANGUAGES
from studio.workspace import Workspace

SHIPPED = guard.suite(Workspace())


def answered(model: str, wrong: set[str] = frozenset()) -> list[Prediction]:  # type: ignore[assignment]
    """Every question of the suite, answered rightly but in these areas."""
    return [Prediction(model, one.number, "###" if one.area in wrong else one.answer) for one in SHIPPED]


def found(*models: tuple[str, set[str]]) -> Guard:
    said = [one for name, wrong in models for one in answered(name, wrong)]
    return guard.summarise(SHIPPED, guard.scored(SHIPPED, said), [name for name, _ in models])


def task(difference: float, p: float) -> Summary:
    """Scores of the user's own rows with this difference."""
    one = {"exact_match": Interval(0.5, 0.4, 0.6, 100, WILSON)}
    pair = {"a": "base", "b": "mine", "metric": "exact_match", "difference": difference, "low": difference - 0.1,
            "high": difference + 0.1, "p": p, "test": "mcnemar", "n": 100, "enough": p < 0.05, "needed": None}
    return Summary(("base", "mine"), ("exact_match",), 100, 1.0, {"base": one, "mine": one}, pairs=[pair])


def test_the_shipped_suite_has_as_many_questions_of_each_kind_in_both_languages() -> None:
    count = Counter(one.area for one in SHIPPED)
    assert set(count) == {f"{lang}.{kind}" for lang in guard.LANGUAGES for kind in guard.KINDS}
    assert set(count.values()) == {16} and len({one.question for one in SHIPPED}) == len(SHIPPED)


def test_a_right_answer_of_any_wording_is_right_and_another_is_not() -> None:
    of = {one.question: one for one in SHIPPED}
    total = next(one for one in SHIPPED if one.area == "en.sums")
    result = total.answer.rpartition("=")[2]
    assert guard.is_right(total, f"Let me see: it makes {result}.") and not guard.is_right(total, f"{result}5")
    assert not guard.is_right(total, f"{result} or rather 1")
    assert guard.is_right(of["你好！"], "您好，请问有什么事？") and not guard.is_right(of["你好！"], "57+68=125")
    assert guard.is_right(of["Is it raining?"], "I can't see the sky.")
    assert not guard.is_right(of["Is it raining?"], "Yes, it is raining.")
    as_json = of['Write a JSON object with the key "name" and the value "Anna", and nothing else.']
    assert guard.is_right(as_json, '```json\n{"name": "Anna"}\n```')
    assert not guard.is_right(as_json, 'Here it is: {"name": "Anna"}')
    assert not guard.is_right(of["只回答“是”或“不是”。7 比 3 大吗？"], "不是")


def test_what_is_right_in_one_area_says_nothing_for_another() -> None:
    """Whoever answers everything alike knows little."""
    for said in ("", "OK", "I cannot help with that.", "Hello! How can I help you?", "57+68=125", "好的，没问题。"):
        assert sum(guard.is_right(one, said) for one in SHIPPED) <= 0.2 * len(SHIPPED), said


def test_the_verdict_says_what_was_gained_and_what_was_lost() -> None:
    told = verdict.sentences(found(("base", set()), ("mine", {"en.talk"})), task(0.61, 1e-9))
    assert [one("en") for one in told] == [
        "mine: gained 61 points on your task, lost 100 points in English small talk."]
    assert [one("zh") for one in told] == ["mine：你的任务提高了 61 个百分点，丢掉了英文闲聊 100 个百分点。"]


def test_a_loss_that_may_be_chance_is_called_so() -> None:
    said = [one for one in answered("mine") if one.row not in (0, 2)] + [Prediction("mine", row, "") for row in (0, 2)]
    few = guard.summarise(SHIPPED, guard.scored(SHIPPED, [*answered("base"), *said]), ["base", "mine"])
    assert verdict.sentences(few, None)[0]("en") == (
        "mine: perhaps lost 12 points in English small talk (too few questions to be sure).")


def test_nothing_lost_is_said_too_and_every_case_has_its_words() -> None:
    same = found(("base", set()), ("mine", set()))
    assert verdict.sentences(same, task(0.0, 1.0))[0]("en").endswith(
        "lost nothing else (100 % → 100 % of 160 everyday questions).")
    better = found(("base", {"en.talk", "zh.sums"}), ("mine", set()))
    for lang in LANGUAGES:
        for one in (same, better, found(("base", set()))):
            for rows in (None, task(-0.3, 1e-5), task(0.3, 1e-5), task(0.01, 0.9)):
                assert all(text(lang) for text in verdict.sentences(one, rows))


def test_a_question_that_nobody_answered_is_missing_and_not_wrong() -> None:
    half = guard.summarise(SHIPPED, guard.scored(SHIPPED, answered("mine")[:80]), ["mine"])
    assert (half.scores["mine"][GENERAL].value, half.scores["mine"][GENERAL].n) == (1.0, 80)


def test_the_verdict_is_read_again_from_the_results(tmp_path: Path) -> None:
    before = found(("base", set()), ("mine", {"zh.format"}))
    guard.write(tmp_path, before)
    summary.write(tmp_path, task(0.2, 1e-6))
    view = verdict.view(tmp_path, "en")
    assert guard.load(tmp_path) == before and view is not None
    assert view.sentences == ("mine: gained 20 points on your task, lost 100 points in Chinese format.",)
    line = next(one for one in view.lines if one.area == "zh.format")
    assert (line.before, line.after, line.points, line.is_told) == (100.0, 0.0, -100.0, True)
    (tmp_path / guard.NAME).write_text('{"models": 3}')
    assert verdict.view(tmp_path, "en") is None


@pytest.mark.parametrize("line", ["{", '{"instruction": "a"}', json.dumps(
    {"instruction": "a", "output": "b", "kind": "talk", "lang": "en", "right": "("}), json.dumps(
    {"instruction": "a", "output": "b", "kind": "cooking", "lang": "en", "right": "b"})])
def test_a_suite_of_ones_own_that_is_none_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / guard.SUITE).write_text(f"\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        guard.suite(Workspace(tmp_path))
    assert caught.value.code == "guard_broken" and caught.value.values["line"] == 2
