"""A metric while training: a few answers at each evaluation; the best checkpoint and early stopping go by it."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from studio.engine import answer, evaluation
from studio.engine.measuring import Measure
from studio.errors import SpecError, StopAsked
from studio.runs.checkpoints import checkpoints, result
from studio.runs.files import RunFolder
from studio.runs.monitor import Monitor
from studio.runs.summary import Summarizer
from studio.specs import train
from studio.texts import LANGUAGES
from studio.ui import plots
from studio.workspace import Workspace
from tests.engine.workbench import Studio, log, losses, talks

MEASURED: dict[str, Any] = {"eval_metric": "token_f1", "eval_metric_rows": 4, "eval_metric_tokens": 12,
                            "eval_steps": 4, "save_steps": 4, "save_total_limit": 9, "finetuning_type": "lora",
                            "learning_rate": 2e-2, "cpu_threads": 1}


@pytest.fixture(autouse=True)
def whole_libraries(llama: str) -> None:
    """The tiny Llama is made before an engine's sparing imports, which leave out what makes and loads any model."""


def evaluations(folder: RunFolder) -> dict[int, dict[str, Any]]:
    return {line["step"]: line for line in log(folder) if "eval_loss" in line}


def pretend(trainer: Any, monkeypatch: pytest.MonkeyPatch, values: list[float], heard: list[float]) -> None:
    """Let the metric and the loss be these, one evaluation after the other."""
    told, lost = iter(values), iter(heard)
    monkeypatch.setattr(trainer.measure, "value", lambda network: next(told))
    monkeypatch.setattr(evaluation, "loss", lambda *_: next(lost))


def test_a_metric_is_measured_at_every_evaluation_and_training_stays_the_same(studio: Studio) -> None:
    known = MEASURED | {"model_name_or_path": "starter", "template": "own", "learning_rate": 5e-3}
    plain = studio.run("plain", **{k: v for k, v in known.items() if "metric" not in k})
    measured = studio.run("measured", **known)
    assert studio.engine(plain) == studio.engine(measured) == 0, measured.console.read_text()
    assert losses(plain) == losses(measured), "answering must not touch what is learned"
    seen, without = evaluations(measured), evaluations(plain)
    assert {step: one["eval_loss"] for step, one in seen.items()} == {
        step: one["eval_loss"] for step, one in without.items()}
    assert len(seen) >= 3 and all(0 <= one["eval_metric"] <= 1 and one["metric"] == "token_f1" for one in seen.values())
    assert not any("metric" in key for one in without.values() for key in one)
    assert max(one["eval_metric"] for one in seen.values()) > 0.2, "it learns to answer"
    assert Monitor(plain).look().eval_metric.steps == []


def test_the_answers_are_those_of_the_saved_model(studio: Studio) -> None:
    folder = studio.run("answers", **MEASURED | {"model_name_or_path": "starter", "template": "own"})
    trainer = studio.trainer(folder)
    trainer.train()
    measure: Measure = trainer.measure
    last = next(one for one in checkpoints(folder) if one.last)
    model = answer.loaded(Workspace().starter, last.path)
    alone = []
    for one in measure.rows:  # one row at a time: no padding, nobody beside it
        ids = torch.tensor([one.ids])
        said = model.generate(ids, attention_mask=torch.ones_like(ids), do_sample=False, pad_token_id=0,
                              max_new_tokens=MEASURED["eval_metric_tokens"], eos_token_id=list(measure.chat.eos_ids))
        alone.append(measure._decoded(said[0, len(one.ids):].tolist()))
    assert measure._answers(trainer.network) == alone and any(alone)
    assert all(one.reference in " ".join(row["output"] for row in talks(44)) for one in measure.rows)
    assert all("Say in reverse" in one.question and one.reference not in one.question for one in measure.rows
               if " " in one.reference)


def test_best_checkpoint_and_everybody_who_tells_it_go_by_the_metric(
        studio: Studio, llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = studio.run("best", model_name_or_path=llama, **MEASURED | {"num_train_epochs": 1.2, "eval_steps": 3,
                                                                        "save_steps": 3})
    trainer = studio.trainer(folder)
    pretend(trainer, monkeypatch, [0.5, 0.9, 0.9, 0.2], [2.0, 1.9, 1.8, 1.0])
    trainer.train()
    steps = sorted(evaluations(folder))
    best = steps[2]
    found = result(folder)
    assert len(steps) == 4 and found is not None and found.best
    assert (found.step, found.eval_metric, found.eval_loss) == (best, 0.9, 1.8), "of equal ones the lower loss"
    glimpse = Monitor(folder).look()
    assert (glimpse.best_step, glimpse.best_eval_loss, glimpse.metric) == (best, 1.8, "token_f1")
    assert glimpse.eval_metric.values == [0.5, 0.9, 0.9, 0.2]
    line = Summarizer(folder).summary()
    assert (line.best_step, line.best_eval_loss) == (best, 1.8)
    for lang in LANGUAGES:
        drawn = plots.loss(glimpse, lang)
        assert drawn["data"][-1]["yaxis"] == "y2" and drawn["layout"]["yaxis2"]["side"] == "right"


def test_a_run_stops_early_when_the_metric_does_not_get_better(
        studio: Studio, llama: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = studio.run("early", model_name_or_path=llama, **MEASURED | {
        "early_stopping_patience": 2, "eval_steps": 2, "save_steps": 2, "eval_metric": "repetition"})
    trainer = studio.trainer(folder)
    pretend(trainer, monkeypatch, [0.3, 0.1, 0.1, 0.4, 0.0], [5.0, 4.0, 3.0, 2.0, 1.0])
    trainer.train()
    assert len(evaluations(folder)) == 4, "of repetition less is better"
    assert trainer.state.best_step == sorted(evaluations(folder))[2]


@pytest.mark.parametrize("draft", [{"finetuning_type": "prefix"}, {"flash_attn": "eager"}])
def test_other_ways_of_computing_are_measured_too(studio: Studio, llama: str, draft: dict[str, Any]) -> None:
    folder = studio.run("other", model_name_or_path=llama, **MEASURED | draft | {"max_steps": 4})
    studio.here(folder)
    assert [one["eval_metric"] is not None for one in evaluations(folder).values()] == [True]


def test_a_metric_over_all_answers_together_is_measured(studio: Studio, llama: str) -> None:
    folder = studio.run("whole", model_name_or_path=llama, **MEASURED | {"max_steps": 4, "eval_metric": "chrf"})
    studio.here(folder)
    assert all(one["eval_metric"] >= 0 for one in evaluations(folder).values())


def test_a_stop_is_heard_while_answers_are_measured(studio: Studio, llama: str) -> None:
    folder = studio.run("stopped", model_name_or_path=llama, **MEASURED)
    trainer = studio.trainer(folder)
    folder.stop.touch()
    with pytest.raises(StopAsked):
        trainer.measure.value(trainer.network)


@pytest.mark.parametrize(("draft", "codes"), [
    ({"eval_metric": "nonsense"}, ["metric_unknown"]), ({"eval_metric": "choice"}, ["eval_metric_unfit"]),
    ({"eval_metric": "length_ratio"}, ["eval_metric_unfit"]), ({"eval_metric": "custom"}, ["eval_metric_unfit"]),
    ({"eval_metric": "code_runs"}, ["eval_metric_unfit"]),
    ({"eval_metric": "rougel", "val_size": 0}, ["eval_metric_needs_evaluation"]),
    ({"eval_metric": "rougel", "train_on_prompt": True}, ["eval_metric_without_answers"])])
def test_a_metric_that_cannot_lead_is_refused_before_anything_runs(draft: dict[str, Any], codes: list[str]) -> None:
    with pytest.raises(SpecError) as caught:
        train.check(draft)
    assert [one.code for one in caught.value.problems] == codes


def test_a_metric_goes_by_its_older_name_too() -> None:
    assert train.check({"eval_metric": "rouge-l"}).eval_metric == "rouge-l"
