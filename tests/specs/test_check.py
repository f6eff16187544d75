"""A draft becomes a spec, or every problem of it is named at once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from studio.args import Kind
from studio.errors import Problem, SpecError
from studio.specs import train
from studio.texts.errors import of_error, of_problem


def problems(**draft: Any) -> dict[str, Problem]:
    """The problems of a draft by the argument beside which they stand; none when it is right."""
    try:
        train.check(draft)
    except SpecError as error:
        return {problem.field: problem for problem in error.problems}
    return {}


def codes(**draft: Any) -> dict[str, str]:
    return {field: problem.code for field, problem in problems(**draft).items()}


def test_defaults_are_a_run() -> None:
    spec = train.check({})
    assert (spec.model_name_or_path, spec.stage, spec.finetuning_type) == ("starter", "sft", "lora")
    assert train.changed(spec) == {}


def test_the_sentence_says_what_is_wrong_the_value_and_what_is_allowed() -> None:
    with pytest.raises(SpecError) as caught:
        train.check({"lora_rank": 0})
    assert of_error("en", caught.value) == "lora_rank is 0; it must be at least 1."
    assert of_error("zh", caught.value) == "lora_rank 是 0，不能小于 1。"


def test_all_problems_are_named_at_once_in_the_order_of_the_form() -> None:
    draft = {"lora_rank": 0, "learning_rate": "abc", "stage": "sfx", "quantization_bit": 4, "dataset": [],
             "finetuning_type": "full", "lora_rnk": 3}
    with pytest.raises(SpecError) as caught:
        train.check(draft)
    found = [(problem.field, problem.code) for problem in caught.value.problems]
    assert found == [("lora_rnk", "unknown_near"), ("quantization_bit", "quantized_full"), ("stage", "not_a_choice"),
                     ("dataset", "dataset_none"), ("learning_rate", "not_float"), ("lora_rank", "at_least"),
                     ("lora_rank", "not_for_tuner")]
    assert of_error("en", caught.value).count("\n") == len(found) - 1


@pytest.mark.parametrize(("value", "code"), [("abc", "not_float"), (0, "more_than"), (-1, "more_than"),
                                             ("inf", "not_finite"), (float("nan"), "not_finite"),
                                             ([1e-4], "not_single"), (True, "not_float"), (11, "at_most")])
def test_a_wrong_learning_rate_is_refused_by_its_own_sentence(value: Any, code: str) -> None:
    assert codes(learning_rate=value) == {"learning_rate": code}


@pytest.mark.parametrize("value", ["5e-5", "1.0e-4", 5e-5, None, "auto"])
def test_a_learning_rate_may_be_spelled_in_many_ways(value: Any) -> None:
    rate = train.check({"learning_rate": value}).learning_rate
    assert rate is None if value in (None, "auto") else rate == float(value)


@pytest.mark.parametrize(("field", "value", "code"), [
    ("lora_rank", True, "not_int"), ("lora_rank", "x", "not_int"), ("lora_rank", 8.5, "not_int"),
    ("packing", "perhaps", "not_bool"), ("lr_scheduler_kwargs", "x", "not_dict"), ("dataset", 3, "not_list"),
    ("warmup_ratio", 1, "less_than"), ("seed", 2**32, "at_most"), ("stage", "sfft", "not_a_choice"),
    ("val_size", 10.5, "val_size_mixed"), ("max_steps", 0, "max_steps_zero"), ("dataset", "", "dataset_none"),
    ("model_name_or_path", "  ", "model_none"), ("lora_rank", None, "not_int"),
])
def test_a_wrong_value_has_a_code(field: str, value: Any, code: str) -> None:
    assert codes(**{field: value}) == {field: code}


def test_a_quantized_model_cannot_move_its_own_weights() -> None:
    for tuner in ("full", "freeze"):
        assert codes(finetuning_type=tuner, quantization_bit=4) == {"quantization_bit": "quantized_full"}
    for tuner in ("lora", "prefix"):
        assert codes(finetuning_type=tuner, quantization_bit=4) == {}


def test_the_best_model_needs_an_evaluation_and_a_checkpoint() -> None:
    assert codes(load_best_model_at_end=True, val_size=0) == {"load_best_model_at_end": "best_needs_evaluation"}
    assert codes(load_best_model_at_end=True, eval_strategy="no") == {"load_best_model_at_end": "best_needs_evaluation"}
    assert codes(load_best_model_at_end=True, save_strategy="no") == {"load_best_model_at_end": "best_needs_saving"}
    assert codes(load_best_model_at_end=True, val_size=0, eval_dataset="arithmetic") == {}
    assert codes(early_stopping_patience=3, val_size=0) == {"early_stopping_patience": "early_stop_needs_evaluation"}


def test_several_adapters_are_for_lora_alone() -> None:
    assert codes(adapter_name_or_path="a,b", finetuning_type="lora") == {}
    assert codes(adapter_name_or_path="a,b", finetuning_type="prefix") == {
        "adapter_name_or_path": "adapters_only_lora"}


def test_no_layer_at_all_cannot_move() -> None:
    assert codes(finetuning_type="freeze", freeze_trainable_layers=0) == {"freeze_trainable_layers": "freeze_zero"}
    assert codes(finetuning_type="freeze", freeze_trainable_layers=-2) == {}


def test_an_argument_of_another_tuner_is_refused_unless_it_is_at_its_default() -> None:
    found = problems(finetuning_type="full", lora_rank=16)
    assert found["lora_rank"].code == "not_for_tuner"
    assert "belongs to finetuning_type lora" in of_problem("en", found["lora_rank"])
    assert codes(finetuning_type="full", lora_rank=8) == {}


def test_an_unknown_key_is_refused_with_the_nearest() -> None:
    found = problems(learning_rat=1e-4)["learning_rat"]
    assert of_problem("en", found) == "The studio has no argument learning_rat. Did you mean learning_rate?"
    assert problems(qqqqqqqq=1)["qqqqqqqq"].code == "unknown"


def test_a_document_holds_what_belongs_to_the_run_and_nothing_else() -> None:
    found = train.document(train.check({"finetuning_type": "prefix", "pre_seq_len": 20}))
    assert found["pre_seq_len"] == 20
    assert "lora_rank" not in found
    assert train.check(found) == train.check({"finetuning_type": "prefix", "pre_seq_len": 20})


_ODD = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
                 st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=3), st.integers(), max_size=2))


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(sorted(train.ARGUMENTS)), _ODD, max_size=6))
def test_whatever_is_given_is_a_spec_or_problems_with_sentences(draft: dict[str, Any]) -> None:
    try:
        train.check(draft)
    except SpecError as error:
        assert error.problems
        for lang in ("en", "zh"):
            assert of_error(lang, error)


@pytest.mark.parametrize("name", train.ARGUMENTS)
def test_every_default_lies_within_its_own_bounds(name: str) -> None:
    a = train.ARGUMENTS[name]
    assert codes(**{name: a.default}) in ({}, {name: "not_for_tuner"})
    if a.choices and not a.open_choices and a.default is not None:
        assert a.default in a.choices
    assert a.kind in Kind
