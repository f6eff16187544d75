"""Models elsewhere in an evaluation as a user types it: one that answers, and one that judges, moody as they are."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from studio.chats.shelf import Shelf
from studio.scores import jury
from studio.scores.judge import FIRST
from studio.scores.judging import read
from studio.texts import LANGUAGES, say
from studio.workspace import Workspace
from tests.chats.test_votes import voted
from tests.cli.client import Client
from tests.cli.test_serve import begun, end
from tests.engine.workbench import make_model
from tests.scores.a_judge import KEY, AJudge

MOODS = ("limited", "prose", "slow", "first", "red", "blue", "green", "house")
QUICK = ("max_new_tokens=12", "cpu_threads=1", "compute_type=fp32")


@pytest.fixture
def judge() -> Iterator[AJudge]:
    """The judge's server."""
    found = AJudge()
    yield found
    found.close()


def rows(client: Client) -> Path:
    """A question for every mood of the judge."""
    path = client.root / "moods.json"
    path.write_text(json.dumps([{"instruction": f"Say {one}.", "output": one} for one in MOODS]), encoding="utf-8")
    return path


def votes(client: Client) -> None:
    """Blind votes of a user who likes longer answers but once."""
    conversation = Shelf(Workspace(client.root)).create()
    for place, winner in enumerate("AABAB"):
        words = {"A": f"a much longer answer {place}", "B": f"short {place}"}
        voted(conversation, f"vote {place}", words, winner)


def test_a_moody_judge_in_a_whole_evaluation(client: Client, judge: AJudge, tmp_path: Path) -> None:
    other = make_model(tmp_path / "other", "llama", num_key_value_heads=2)
    votes(client)
    done = client("evaluate", "--models", other, "starter", f"dataset={rows(client)}", "metrics=exact_match", *QUICK,
                  f"judge={judge.url}#moody", "judge_price=2", "--name", "judged", "--json", JUDGE_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    results = client.root / "saves" / "judged" / "results"
    told = json.loads(done.stdout)["judge"]
    assert json.loads((results / "scores.json").read_text(encoding="utf-8"))["judge"] == told
    assert set(judge.keys) == {f"Bearer {KEY}"} and KEY not in done.stdout + done.stderr

    lines = (results / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    said: dict[str, dict[str, str]] = {}
    for one in map(json.loads, lines):
        said.setdefault(one["reference"], {})[one["model"]] = one["answer"]
    wins, losses, missing, turned = _by_hand(said, other)
    pair = told["pairs"][0]
    assert (pair["a"], pair["b"]) == (other, "starter")
    assert (pair["wins"], pair["losses"], pair["missing"], pair["turned"]) == (wins, losses, missing, turned)
    assert wins + losses >= 3 and missing == 1 and turned == 1  # prose is missing, and no defeat of anybody
    assert pair["share"]["n"] == len(MOODS) - missing

    calls = read(results / "judged.jsonl")
    both = {key for key, _ in calls}
    assert all((key, swapped) in calls for key in both for swapped in (False, True))
    assert {one.error for one in calls.values()} == {"", "judge_prose"}
    limited = [asked for asked in judge.seen if "limited" in asked]
    assert len(limited) == 2 and all(judge.seen[asked] == 3 for asked in limited)  # refused twice, then answered
    assert told["cost"]["calls"] == len(calls) and told["cost"]["money"] > 0

    trust = told["agreement"]  # the user took the longer answer in three of five
    assert (trust["n"], trust["share"], trust["enough"]) == (5, pytest.approx(0.6), False)
    mine, its = jury.voted(Workspace(client.root))[1], {key: one.verdict for (key, _), one in calls.items()}
    firsts = [[of[key] for key in mine].count(FIRST) / 5 for of in (mine, its)]
    chance = firsts[0] * firsts[1] + (1 - firsts[0]) * (1 - firsts[1])
    assert trust["kappa"] == pytest.approx((0.6 - chance) / (1 - chance))
    report = (results / "report.html").read_text(encoding="utf-8")
    for lang in LANGUAGES:
        word = say(lang, f"scores.kappa.{trust['word']}")
        figures = {name: f"{trust[name]:.2f}" for name in ("kappa", "low", "high")}
        assert say(lang, "scores.judge.trust.few", n=5, word=word, **figures) in report
    assert re.search(rf"starter wins {wins}, loses {losses}", report)
    assert f" {told['cost']['calls']} " in _log(client)


def _by_hand(said: dict[str, dict[str, str]], other: str) -> tuple[int, int, int, int]:
    """(wins, losses, missing, turned) of the starter before a judge who takes the longer answer."""
    wins = losses = missing = turned = 0
    for mood, by in said.items():
        gain = len(by["starter"]) - len(by[other])
        differ = by["starter"].strip() != by[other].strip()
        missing += differ and mood == "prose"
        turned += differ and mood == "first"
        wins += mood not in ("prose", "first") and gain > 0
        losses += mood not in ("prose", "first") and gain < 0
    return wins, losses, missing, turned


def _log(client: Client) -> str:
    return (client.root / "saves" / "judged" / "console.log").read_text(encoding="utf-8")


def test_a_model_at_an_address_answers_as_it_does_here(client: Client) -> None:
    served = begun(client, "starter")
    try:
        name = f"{served.said['url']}#starter"
        done = client("evaluate", "--models", "starter", name, f"dataset={rows(client)}", *QUICK, "metrics=exact_match",
                      "--name", "asked", "--json")
    finally:
        end(served)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    lines = [json.loads(line) for line in Path(found["predictions"]).read_text(encoding="utf-8").splitlines()]
    answers: dict[str, list[tuple[Any, ...]]] = {}
    for one in lines:
        answers.setdefault(one["model"], []).append((one["row"], one["answer"], one["finish"], one["tokens"]))
    assert set(answers) == {"starter", name} and len(answers[name]) == len(MOODS)
    assert answers[name] == answers["starter"] and all(answer for _, answer, _, _ in answers[name])
    assert found["scores"][name]["exact_match"] == found["scores"]["starter"]["exact_match"]
