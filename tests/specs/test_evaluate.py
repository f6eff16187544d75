"""Evaluations as specs: defaults, every problem at once, recipes of the older systems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.errors import SpecError
from studio.specs import evaluate, frozen, train, works
from studio.texts import languages, sentences

PREDICT: dict[str, Any] = {
    "model_name_or_path": "starter", "adapter_name_or_path": "a_run", "trust_remote_code": True, "stage": "sft",
    "do_predict": True, "finetuning_type": "lora", "eval_dataset": "identity,bilingual", "template": "llama3",
    "cutoff_len": 2048, "max_samples": 50, "overwrite_cache": True, "preprocessing_num_workers": 16,
    "output_dir": "saves/llama3-8b/lora/predict", "overwrite_output_dir": True, "report_to": "none",
    "per_device_eval_batch_size": 1, "predict_with_generate": True, "ddp_timeout": 180000000, "learning_rate": 1e-4}
EXAM = {"model_name_or_path": "starter", "task": "ceval_validation", "template": "fewshot", "lang": "zh", "n_shot": 5,
        "save_dir": "saves/exam", "batch_size": 4}


def problems(draft: dict[str, Any]) -> list[tuple[str, str]]:
    with pytest.raises(SpecError) as caught:
        evaluate.check(draft)
    return [(problem.code, problem.field) for problem in caught.value.problems]


def test_answers_are_greedy_unless_asked_otherwise() -> None:
    spec = evaluate.check({})
    assert (spec.temperature, spec.num_beams, spec.dataset, spec.template) == (0.0, 1, [], None)


def test_the_arguments_of_training_and_talking_keep_their_own_defaults() -> None:
    from studio.specs.chat import SAMPLING

    assert SAMPLING["temperature"].default == 1.0
    assert train.ARGUMENTS["dataset"].default == ["number_words"]


def test_every_problem_is_told_at_once_in_the_order_of_the_form() -> None:
    assert problems({"temperature": 9, "n_shot": "x", "lora_rank": 8, "zzz": 1, "eval_models": "a,a"}) == [
        ("not_for_evaluation", "lora_rank"), ("unknown", "zzz"), ("models_twice", "eval_models"),
        ("not_int", "n_shot"), ("at_most", "temperature")]


def test_a_recipe_that_asks_for_predictions_is_an_evaluation() -> None:
    assert evaluate.is_asked(PREDICT) and not evaluate.is_asked(PREDICT | {"do_train": True})
    assert evaluate.changed(evaluate.check(PREDICT)) == {
        "dataset": ["identity", "bilingual"], "max_samples": 50, "adapter_name_or_path": ["a_run"],
        "template": "llama3", "eval_batch_size": 1, "output_dir": "saves/llama3-8b/lora/predict"}


def test_an_older_recipe_samples_only_where_it_says_so() -> None:
    assert evaluate.check(PREDICT | {"temperature": 0.95, "do_sample": True}).temperature == 0.95
    assert evaluate.check(PREDICT | {"temperature": 0.95, "do_sample": False}).temperature == 0


def test_the_longest_answer_of_the_first_systems_is_taken() -> None:
    recipe = {"do_predict": True, "dataset": "x", "max_source_length": 128, "max_target_length": 64}
    assert evaluate.check(recipe).max_new_tokens == 65


def test_an_exam_of_the_older_systems_is_one_here() -> None:
    spec = evaluate.check(EXAM)
    assert (spec.task, spec.dataset, spec.eval_split, spec.n_shot, spec.eval_batch_size) == (
        "choices", ["evaluation/ceval"], "val", 5, 4)


def test_several_adapters_would_lie_on_one_another() -> None:
    assert problems(PREDICT | {"adapter_name_or_path": "a,b"}) == [("adapters_stacked", "adapter_name_or_path")]


def test_a_frozen_evaluation_thaws_as_itself_and_a_training_stays_one(tmp_path: Path) -> None:
    for spec in (evaluate.check({"eval_models": ["base", "x"], "metrics": ["choice"]}), train.check({})):
        (tmp_path / "spec.yaml").write_text(frozen.freeze(spec, "2026-01-01T00:00:00", {}), encoding="utf-8")
        assert frozen.thaw(tmp_path / "spec.yaml")[0] == spec
        assert works.learns(spec) is (spec.stage != "evaluate")


@pytest.mark.parametrize("lang", languages())
def test_every_argument_of_an_evaluation_has_its_words(lang: str) -> None:
    known = sentences(lang)
    for name, a in evaluate.ARGUMENTS.items():
        assert known[f"arguments.{name}.label"] and known[f"arguments.{name}.tip"] and known[f"groups.{a.group}"]
        assert not [choice for choice in a.choices if name != "template" and f"choices.{name}.{choice}" not in known]
