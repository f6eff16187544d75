"""Files are scored on all cores to the same figures, go on where they were stopped, and say which metric broke."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from studio.errors import InputError, StopAsked, WorkError
from studio.plugins import plugin
from studio.scores import scoring, statistics, summary
from studio.scores.browse import Predictions
from studio.scores.predictions import Prediction, Writer, read

METRICS = ("exact_match", "token_f1")
MODELS = ("base", "tuned")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Two models on 60 rows, the second better."""
    path = tmp_path / "predictions.jsonl"
    with Writer(path) as writer:
        for model, right in (("base", 4), ("tuned", 2)):
            for row in range(60):
                answer = f"the sum is {row}" if row % right else "I do not know"
                answer = "" if row == 7 else answer
                writer.write(Prediction(model, row, answer if model == "tuned" else answer.upper(),
                                        f"the sum is {row}", ({"role": "user", "content": f"{row} + 0?"},),
                                        finish="length" if row == 9 else "stop", seconds=0.25))
    return path


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pieces of a few lines, and processes for the smallest file."""
    monkeypatch.setattr(scoring, "PIECE_BYTES", 2_000)
    monkeypatch.setattr(scoring, "ALONE_BYTES", 0)
    yield


def scores(path: Path) -> list[tuple[str, int, dict[str, float | None]]]:
    return [(one.model, one.row, dict(one.scores)) for one in read(path)]


def test_a_file_is_scored_beside_the_scores_that_it_has(path: Path) -> None:
    scoring.score_file(path, ["exact_match"])
    assert scoring.score_file(path, ["token_f1"]) == {}
    found = scores(path)
    assert len(found) == 120 and all(set(one[2]) == set(METRICS) for one in found)
    assert {one[2]["exact_match"] for one in found} == {0.0, 1.0}
    assert not list(path.parent.glob(".scoring-*"))


@pytest.mark.slow
def test_several_processes_give_what_one_gives(path: Path, tmp_path: Path, in_pieces: None) -> None:
    alone = tmp_path / "alone.jsonl"
    alone.write_bytes(path.read_bytes())
    scoring.score_file(alone, METRICS, workers=1)
    told: list[int] = []
    scoring.score_file(path, METRICS, workers=2, tell=lambda done, total: told.append(done * 100 // total))
    assert path.read_bytes() == alone.read_bytes()
    assert told == sorted(told) and told[-1] == 100


def test_what_was_stopped_goes_on_with_the_next_piece(path: Path, in_pieces: None,
                                                       monkeypatch: pytest.MonkeyPatch) -> None:
    asked = iter([False, False, True])
    before = path.read_bytes()
    with pytest.raises(StopAsked):
        scoring.score_file(path, METRICS, workers=1, should_stop=lambda: next(asked))
    assert path.read_bytes() == before
    seen: list[int] = []
    scored = scoring.Scorer.scored
    monkeypatch.setattr(scoring.Scorer, "scored", lambda self, one: (seen.append(one.row), scored(self, one))[1])
    scoring.score_file(path, METRICS, workers=1)
    assert 0 < len(seen) < 120 and len(scores(path)) == 120


@pytest.mark.slow
def test_a_stopped_scoring_leaves_no_process(path: Path, in_pieces: None, monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: children.append(popen(*a, **k)) or children[-1])
    with pytest.raises(StopAsked):
        scoring.score_file(path, METRICS, workers=2, should_stop=lambda: len(children) == 2)
    assert len(children) == 2 and all(child.poll() is not None for child in children)


@pytest.mark.slow
def test_a_process_that_dies_is_said_with_its_last_words(path: Path, in_pieces: None,
                                                         monkeypatch: pytest.MonkeyPatch) -> None:
    popen = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda command, **k: popen(
        [sys.executable, "-c", "raise SystemExit('out of luck')"], **k))
    with pytest.raises(WorkError, match="out of luck"):
        scoring.score_file(path, METRICS, workers=2)


def test_a_metric_that_breaks_scores_nothing_and_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugin("metrics", "token_f1"), "score", lambda answer, reference, row: 1 / len(answer))
    failures = scoring.score_file(path, METRICS)
    assert failures == {"token_f1": (2, "ZeroDivisionError: division by zero")}
    by_row = {(model, row): one for model, row, one in scores(path)}
    assert by_row["base", 7]["token_f1"] is None and by_row["base", 7]["exact_match"] == 0.0


def test_an_unknown_metric_and_an_older_name_are_told_apart() -> None:
    with pytest.raises(InputError, match="metric_unknown"):
        scoring.Scorer(["exactly_match"])
    assert scoring.named("rouge-1") == "rouge1"
    assert scoring.unfit(["exact_match"], []) == {"exact_match": ("reference",)}
    assert scoring.unfit(["exact_match"], ["reference"]) == {}


# scores.json

def test_the_summary_has_the_agreed_shape(path: Path) -> None:
    scoring.score_file(path, METRICS)
    made = summary.summarise(Predictions(path), METRICS)
    summary.write(path.parent, made)
    found = json.loads((path.parent / "scores.json").read_text("utf-8"))
    assert {"scores", "pairs", "buckets", "seconds", "rows"} <= set(found)
    assert found["rows"] == 60 and found["seconds"] == 30
    assert {"value", "low", "high", "n", "how"} <= set(found["scores"]["tuned"]["exact_match"])
    assert found["scores"]["tuned"]["exact_match"]["how"] == "wilson"
    (pair,) = [one for one in found["pairs"] if one["metric"] == "exact_match"]
    assert {"a", "b", "metric", "difference", "low", "high", "p", "test", "enough"} <= set(pair)
    assert (pair["a"], pair["b"], pair["test"]) == (*MODELS, "mcnemar")
    (parts,) = found["buckets"]["exact_match"]
    assert sum(parts[name] for name in ("fixed", "broken", "same_right", "same_wrong", "unknown")) == 60
    assert parts["fixed"] == round(60 * pair["difference"]) + parts["broken"]
    assert found["endings"]["base"] == {"stop": 59, "length": 1}
    again = summary.load(path.parent)
    assert again is not None and again.plain() == found


def test_a_metric_without_any_score_has_no_value(path: Path) -> None:
    made = summary.summarise(Predictions(path), ["exact_match"])
    one = made.scores["base"]["exact_match"]
    assert one.value is None and one.how == "none" and made.missing["base"]["exact_match"] == 60
    assert made.pairs == [] and summary.shown(one) == ("–", "–", "–")


def test_several_pairs_are_adjusted(path: Path) -> None:
    with Writer(path) as writer:
        writer.write(*[Prediction("third", one.row, one.answer, one.reference) for one in list(read(path))[:60]])
    scoring.score_file(path, ["exact_match"])
    pairs = summary.summarise(Predictions(path), ["exact_match"]).pairs
    assert len(pairs) == 3
    assert sorted(pair["adjusted"] for pair in pairs) == sorted(statistics.adjusted([pair["p"] for pair in pairs]))


def test_a_score_of_all_rows_comes_from_its_pieces(path: Path) -> None:
    scoring.score_file(path, ["corpus_bleu"])
    module = plugin("metrics", "corpus_bleu")
    made = summary.summarise(Predictions(path), ["corpus_bleu"])
    for model in MODELS:
        mine = [one for one in read(path) if one.model == model]
        whole = module.whole([one.answer for one in mine], [one.reference for one in mine])
        found = made.scores[model]["corpus_bleu"]
        assert found.value == pytest.approx(whole, abs=1e-9)
        assert found.low is not None and found.high is not None and found.low <= whole <= found.high
    (pair,) = made.pairs
    values = [made.scores[model]["corpus_bleu"].value for model in MODELS]
    assert pair["difference"] == pytest.approx(values[1] - values[0])  # type: ignore[operator]


def test_many_rows_are_drawn_again_in_groups_and_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    mean = SimpleNamespace(total=lambda sums, options: sums[0] / sums[1])
    table = np.stack([np.random.default_rng(1).random(3_000), np.ones(3_000)], axis=1)
    wholes = summary._Wholes.__new__(summary._Wholes)
    wholes._options = {}
    grouped = wholes._drawn(mean, [table])[0]
    monkeypatch.setattr(summary, "MOST_ROWS", 10_000)
    single = wholes._drawn(mean, [table])[0]
    assert grouped.std() == pytest.approx(single.std(), rel=0.12)
    assert grouped.mean() == pytest.approx(single.mean(), abs=1e-3)


@pytest.mark.parametrize(("value", "digits", "text"), [(61.234, 0, "61"), (-0.001, 2, "0.00"), (-3.25, 1, "−3.2")])
def test_figures_are_written_with_the_digits_that_they_have(value: float, digits: int, text: str) -> None:
    assert summary.written(value, digits) == text
