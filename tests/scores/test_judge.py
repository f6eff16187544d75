"""A model as judge: places swapped, what fails is missing, kappa with the user's votes; by a server that misbehaves."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from studio.chats.client import Address
from studio.chats.shelf import Shelf
from studio.engine.evaluate import judgement
from studio.errors import SpecError, StopAsked, WorkError
from studio.scores import judge, judging, jury
from studio.scores.browse import Predictions
from studio.scores.judge import FIRST, SECOND, TIE, Call, Case
from studio.scores.judging import Bench
from studio.scores.predictions import NAME, Prediction, Writer
from studio.scores.report import bench as spoken
from studio.specs import evaluate
from studio.texts import LANGUAGES
from studio.workspace import Workspace
from tests.chats.test_votes import voted
from tests.scores.a_judge import KEY, AJudge


@pytest.fixture(scope="module")
def server() -> Iterator[AJudge]:
    """The judge's server, one for all tests."""
    found = AJudge()
    yield found
    found.close()


def bench(server: AJudge, model: str, **more: Any) -> Bench:
    return Bench(Address(server.url, KEY), model, first_wait_seconds=0.02, **more)


def cases(*pairs: tuple[str, str]) -> list[Case]:
    return [Case(str(place), "a question", "", one, other) for place, (one, other) in enumerate(pairs)]


def calls(found: list[Case]) -> list[Call]:
    return [call for case in found for call in case.calls]


def never() -> bool:
    return False


def test_places_are_swapped_and_both_verdicts_kept(server: AJudge, tmp_path: Path) -> None:
    found = cases(("short", "a longer one"), ("the longest of all", "short"), ("same!", "size!"))
    judged = judging.ask(bench(server, "longer"), calls(found), tmp_path / "j", never)
    assert {key: one.verdict for key, one in judged.items()} == {
        ("0", False): SECOND, ("0", True): SECOND, ("1", False): FIRST, ("1", True): FIRST, ("2", False): TIE,
        ("2", True): TIE}
    assert judge.together(found, judged) == {"0": SECOND, "1": FIRST, "2": TIE}
    bout = judge.bout("a", "b", found, judged)
    assert (bout.wins, bout.losses, bout.ties, bout.turned, bout.missing) == (1, 1, 1, 0, 0)
    assert bout.share.value == pytest.approx(0.5)
    assert judge.together(found, judging.read(tmp_path / "j")) == judge.together(found, judged)
    assert server.keys[-1] == f"Bearer {KEY}"


def test_a_judge_that_takes_the_first_whoever_stands_there_lets_nobody_win(server: AJudge, tmp_path: Path) -> None:
    found = cases(("one", "other"), ("one", "more"))
    bout = judge.bout("a", "b", found, judging.ask(bench(server, "first"), calls(found), tmp_path / "j", never))
    assert (bout.wins, bout.losses, bout.ties, bout.turned) == (0, 0, 2, 2)


def test_prose_without_a_verdict_is_missing_and_never_a_zero(server: AJudge, tmp_path: Path) -> None:
    found = cases(*[("one", "other")] * 8)
    judged = judging.ask(bench(server, "prose"), calls(found), tmp_path / "j", never)
    assert {one.error for one in judged.values()} == {judging.PROSE} and all(one.said for one in judged.values())
    bout = judge.bout("a", "b", found, judged)
    assert (bout.missing, bout.share.n, bout.share.value) == (8, 0, None)
    rated = [Case("m|0", "q", "", "words")]
    assert judge.rating(rated, judging.ask(bench(server, "prose"), calls(rated), tmp_path / "r", never))[1] == 1


def test_who_is_rate_limited_waits_and_gets_an_answer(server: AJudge, tmp_path: Path) -> None:
    found = [Case("limited", "a question of its own", "", "one", "another")]
    judged = judging.ask(bench(server, "limited"), calls(found), tmp_path / "j", never)
    assert all(one.verdict == SECOND for one in judged.values())


def test_a_slow_judge_is_given_up_and_its_verdict_missing(server: AJudge, tmp_path: Path,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "TRIES", 1)
    found = cases(("one", "other"))
    began = time.monotonic()
    judged = judging.ask(bench(server, "slow", call_seconds=0.2), calls(found), tmp_path / "j", never)
    assert {one.error for one in judged.values()} == {judging.SLOW} and time.monotonic() - began < 1.4
    assert judge.together(found, judged) == {"0": None}


@pytest.mark.parametrize("model", ["refuses", "broken"])
def test_a_judge_that_never_answers_is_told(server: AJudge, tmp_path: Path, model: str) -> None:
    with pytest.raises(WorkError) as caught:
        judging.ask(bench(server, model), calls(cases(*[("one", "other")] * 9)), tmp_path / "j", never)
    assert caught.value.code == "judge_silent" and KEY not in str(caught.value.values)


def test_what_was_judged_is_not_asked_again_and_what_was_missing_is(server: AJudge, tmp_path: Path) -> None:
    found = cases(("one", "other"), ("two", "three"))
    journal = tmp_path / "j"
    judging.ask(bench(server, "longer"), calls(found[:1]), journal, never)
    judging.ask(bench(server, "prose"), calls(found[1:]), journal, never)
    with open(journal, "ab") as file:
        file.write(b'{"key": "1", "swapp')
    asked = len(server.bodies)
    judged = judging.ask(bench(server, "longer"), calls(found), journal, never)
    assert len(server.bodies) == asked + 2 and judge.together(found, judged) == {"0": SECOND, "1": SECOND}
    assert judge.together(found, judging.read(journal)) == judge.together(found, judged)


def test_judging_stops_when_asked(server: AJudge, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(StopAsked):
        judging.ask(bench(server, "slow"), calls(cases(*[("a", "b")] * 40)), tmp_path / "j",
                    lambda: time.monotonic() - began > 0.3)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(("said", "verdict"), [
    ("Verdict: 1", FIRST), ("so…\n**Verdict:** 2", SECOND), ("VERDICT: tie.", TIE), ("2", SECOND), ("", None),
    ("Verdict: 1 … no, Verdict: 2", None), ("Answer 1 is better.", None), ("Verdict: 10", None),
    ("Verdict: Answer 2", SECOND)])
def test_only_a_plain_verdict_is_understood(said: str, verdict: str | None) -> None:
    there, turned = cases(("one", "other"))[0].calls
    assert judge.understood(there, said) == verdict
    swapped = {FIRST: SECOND, SECOND: FIRST}.get(verdict or "", verdict)
    assert judge.understood(turned, said) == swapped


@pytest.mark.parametrize(("said", "score"), [("Score: 7", 7.0), ("Score: 8.5/10", 8.5), ("**Score:** 10", 10.0),
                                             ("Score: 11", None), ("seven", None), ("Score: 0", None)])
def test_only_a_plain_rating_is_understood(said: str, score: float | None) -> None:
    assert judge.understood(Case("m|0", "q", "", "a").calls[0], said) == score


def test_the_cost_is_known_before_and_after(server: AJudge, tmp_path: Path) -> None:
    found = calls(cases(("one", "other"), ("one", "其他")))
    before = judge.expected(found, "", "en", 2.0)
    assert before.calls == 4 and before.money == pytest.approx(2e-6 * (before.tokens_in + before.tokens_out))
    after = judge.spent(judging.ask(bench(server, "longer"), found, tmp_path / "j", never).values(), 2.0)
    assert (after.calls, after.tokens_in, after.tokens_out) == (4, 400, 40)


def test_the_judge_is_judged_by_the_users_own_votes(server: AJudge, tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    conversation = Shelf(workspace).create()
    for place, winner in enumerate(["A", "A", "B", "A", "tie"]):
        words = {"A": f"a long answer {place}", "B": f"short {place}"}
        voted(conversation, f"q{place}", words | ({"A": "x", "B": "y"} if winner == "tie" else {}), winner)
    found, said = jury.voted(workspace)
    assert len(found) == 5 and sorted(said.values()).count(TIE) == 1
    trust = jury.trust(found, said, judging.ask(bench(server, "longer"), calls(found), tmp_path / "j", never))
    assert (trust.n, trust.share, trust.enough) == (5, pytest.approx(0.8), False)
    assert trust.kappa is not None and 0 < trust.kappa < 1


def evaluation(tmp_path: Path, server: AJudge, **draft: Any) -> tuple[Any, list[str]]:
    """An evaluation of two models that has been answered, and what its recorder hears."""
    with Writer(tmp_path / "results" / NAME) as writer:
        for row in range(6):
            prompt = ({"role": "user", "content": f"question {row}"},)
            writer.write(Prediction("base", row, "no", "right", prompt),
                         Prediction("mine", row, "no" if row == 5 else "a good answer", "right", prompt))
    heard: list[str] = []
    recorder = SimpleNamespace(lang="en", say=lambda key, **values: heard.append(f"{key} {values}"),
                               phase=lambda *_, **__: None, progress=lambda **_: None)
    spec = evaluate.check({"judge": f"{server.url}#longer", **draft})
    return SimpleNamespace(spec=spec, recorder=recorder, workspace=Workspace(tmp_path),
                           stop=SimpleNamespace(asked=never),
                           folder=SimpleNamespace(results=tmp_path / "results")), heard


def test_an_evaluation_has_its_answers_judged_and_says_the_cost_first(server: AJudge, tmp_path: Path) -> None:
    job, heard = evaluation(tmp_path, server, judge_price=1.0, judge_rubric="Be kind.")
    judgement.ask(job, ["base", "mine"])
    found = judge.load(tmp_path / "results")
    assert found is not None and heard[0].startswith("judge_cost {'calls': 10")
    pair = found["pairs"][0]
    assert (pair["wins"], pair["losses"], pair["ties"], pair["missing"]) == (5, 0, 1, 0)
    assert found["agreement"] is None and found["rubric"] == "Be kind."
    assert server.bodies[-1]["messages"][0]["content"] == "Be kind."
    assert "right" in server.bodies[-1]["messages"][1]["content"]
    for lang in LANGUAGES:
        said = [one(lang) for one in spoken.told(tmp_path / "results")]
        assert len(said) == 3 and "5" in said[0]


def test_a_single_model_is_rated(server: AJudge, tmp_path: Path) -> None:
    job, _ = evaluation(tmp_path, server, judge=f"{server.url}#rates", judge_mode="rate", judge_rows=4)
    judgement.ask(job, ["base", "mine"])
    found = judge.load(tmp_path / "results")
    assert found is not None and found["rows"] == 4
    assert (found["ratings"]["base"]["value"], found["ratings"]["base"]["n"]) == (2.0, 4)
    assert all(one("zh") for one in spoken.told(tmp_path / "results"))


def test_without_a_judge_that_answers_the_evaluation_goes_on(server: AJudge, tmp_path: Path) -> None:
    job, heard = evaluation(tmp_path, server, judge=f"{server.url}#refuses")
    judgement.ask(job, ["base", "mine"])
    assert judge.load(tmp_path / "results") is None and heard[-1].startswith("judge_failed")


def test_rows_are_drawn_by_the_seed(server: AJudge, tmp_path: Path) -> None:
    evaluation(tmp_path, server)
    predictions = Predictions(tmp_path / "results" / NAME)
    drawn = jury.chosen(predictions, ["base", "mine"], 3, 7)
    assert len(drawn) == 3 and drawn == jury.chosen(predictions, ["base", "mine"], 3, 7)
    assert dataclasses.is_dataclass(jury.compared(predictions, "base", "mine", drawn)[0])


@pytest.mark.parametrize("value", ["someone", "http://host/v1", "http://me:secret@host/v1#m", "ftp://host#m"])
def test_a_judge_that_is_no_address_is_refused_without_saying_it(value: str) -> None:
    with pytest.raises(SpecError) as caught:
        evaluate.check({"judge": value})
    assert [one.code for one in caught.value.problems] == ["judge_address"] and "secret" not in str(caught.value)
