"""Recipes that users already have run here, or are refused by name; nothing in them is ignored in silence."""

from __future__ import annotations

from typing import Any

import pytest

from studio.args import document
from studio.errors import SpecError
from studio.specs import train
from studio.specs.older_keys import ANY, ANYWAY, NOT_YET, VALUES_NOT_YET
from studio.texts.errors import of_error

# The keys of LLaMA-Factory's supervised LoRA example, as its users copy them.
FACTORY = """
model_name_or_path: starter
trust_remote_code: true
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all
dataset: identity,arithmetic
template: own
cutoff_len: 2048
max_samples: 1000
preprocessing_num_workers: 16
dataloader_num_workers: 4
output_dir: saves/starter/lora/sft
logging_steps: 10
save_steps: 500
plot_loss: true
overwrite_output_dir: true
save_only_model: false
report_to: none
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
ddp_timeout: 180000000
resume_from_checkpoint: null
eval_dataset: null
val_size: 0.1
per_device_eval_batch_size: 1
eval_strategy: steps
eval_steps: 500
"""

# The flags of ChatGLM-Efficient-Tuning's supervised example with an evaluation set.
CHATGLM = {
    "stage": "sft", "do_train": True, "model_name_or_path": "starter", "dataset": "identity", "dataset_dir": "data",
    "finetuning_type": "p_tuning", "pre_seq_len": 16, "prefix_projection": False, "max_source_length": 1024,
    "max_target_length": 128, "max_samples": 100, "dev_ratio": 0.05, "output_dir": "path_to_sft_checkpoint",
    "overwrite_cache": True, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 4,
    "lr_scheduler_type": "cosine", "logging_steps": 10, "save_steps": 1000, "evaluation_strategy": "steps",
    "eval_steps": 1000, "learning_rate": 5e-5, "num_train_epochs": 3.0, "load_best_model_at_end": True,
    "plot_loss": True, "fp16": True, "use_auth_token": False, "use_fast_tokenizer": True, "model_revision": "main",
    "ignore_pad_token_for_loss": True, "split": "train", "source_prefix": None, "eval_num_beams": None,
    "checkpoint_dir": None, "resume_lora_training": True, "quantization_type": "nf4", "double_quantization": True,
    "reward_model": None, "config_name": None, "tokenizer_name": None, "cache_dir": None,
    "ddp_find_unused_parameters": False,
}


def refused(draft: dict[str, Any]) -> dict[str, str]:
    with pytest.raises(SpecError) as caught:
        train.check(draft)
    return {problem.field: problem.code for problem in caught.value.problems}


def test_a_recipe_of_llama_factory_runs_as_it_is() -> None:
    spec = train.check(document.loads(FACTORY))
    assert spec.dataset == ["identity", "arithmetic"]
    assert (spec.learning_rate, spec.compute_type, spec.cutoff_len, spec.eval_dataset) == (1e-4, "bf16", 2048, [])
    assert spec.per_device_train_batch_size * spec.gradient_accumulation_steps == 8


def test_flags_of_chatglm_efficient_tuning_run_as_they_are() -> None:
    spec = train.check(CHATGLM)
    assert (spec.finetuning_type, spec.pre_seq_len, spec.cutoff_len) == ("prefix", 16, 1152)
    assert (spec.val_size, spec.eval_strategy, spec.compute_type) == (0.05, "steps", "fp16")
    assert not spec.create_new_adapter


@pytest.mark.parametrize(("old", "today"), [
    ({"num_layer_trainable": 3, "name_module_trainable": "mlp", "finetuning_type": "freeze"},
     {"freeze_trainable_layers": 3, "freeze_trainable_modules": ["mlp"]}),
    ({"lora_target": "query_key_value"}, {"lora_target": ["query_key_value"]}),
    ({"lora_target": ["q_proj", "v_proj"]}, {"lora_target": ["q_proj", "v_proj"]}),
    ({"lora_alpha": 32.0}, {"lora_alpha": 32}),
    ({"checkpoint_dir": "a,b"}, {"adapter_name_or_path": ["a", "b"]}),
    ({"resume_lora_training": False}, {"create_new_adapter": True}),
    ({"max_source_length": 256}, {"cutoff_len": 768}),
    ({"max_seq_length": 512}, {"cutoff_len": 512}),
    ({"bf16": False, "fp16": False}, {"compute_type": "fp32"}),
    ({"fp16": True, "bf16": False}, {"compute_type": "fp16"}),
    ({"bf16": False, "compute_type": "auto"}, {"compute_type": "auto"}),
    ({"disable_gradient_checkpointing": True}, {"gradient_checkpointing": False}),
    ({"packing": True, "neat_packing": False}, {"packing": True}),
    ({"neat_packing": True}, {"packing": True}),
    ({"save_strategy": "epoch"}, {"save_strategy": "epoch"}),
    ({"save_strategy": False}, {"save_strategy": "no"}),
    ({"evaluation_strategy": "no"}, {"eval_strategy": "no"}),
    ({"warmup_steps": 0.1}, {"warmup_ratio": 0.1, "warmup_steps": 0}),
    ({"optim": "adamw_hf"}, {"optim": "adamw_torch"}),
    ({"early_stopping_steps": 3}, {"early_stopping_patience": 3}),
    ({"lora_r": 4, "lora_rank": 4}, {"lora_rank": 4}),
    ({"activation_checkpointing": True}, {"gradient_checkpointing": True}),
    ({"packing": None}, {"packing": False}),
    ({"per_gpu_train_batch_size": 2}, {"per_device_train_batch_size": 2}),
    ({"flash_attn": "disabled"}, {"flash_attn": "eager"}),
])
def test_older_names_and_values_are_taken(old: dict[str, Any], today: dict[str, Any]) -> None:
    spec = train.check(old)
    assert {name: getattr(spec, name) for name in today} == today


@pytest.mark.parametrize("draft", [{"lora_r": 4, "lora_rank": 8}, {"bf16": True, "fp16": True},
                                   {"bf16": True, "compute_type": "fp32"},
                                   {"cutoff_len": 100, "max_source_length": 512}])
def test_two_names_with_different_values_are_refused(draft: dict[str, Any]) -> None:
    assert list(refused(draft).values()) == ["said_twice"]


def test_a_length_that_is_no_number_is_refused_under_its_own_name() -> None:
    assert refused({"max_source_length": "long"}) == {"max_source_length": "not_int"}


@pytest.mark.parametrize("key", sorted(ANYWAY))
def test_what_the_studio_does_anyway_changes_nothing(key: str) -> None:
    for value in ANYWAY[key]:
        assert train.changed(train.check({key: value})) == {}
    if ANY not in ANYWAY[key]:
        assert list(refused({key: "something else"})) == [key]


@pytest.mark.parametrize("key", sorted(NOT_YET))
def test_a_feature_that_is_not_there_is_refused_by_its_own_sentence(key: str) -> None:
    with pytest.raises(SpecError) as caught:
        train.check({key: 1})
    assert of_error("en", caught.value).startswith(f"{key} is 1; the studio cannot do that yet.")


@pytest.mark.parametrize("key", sorted(NOT_YET))
def test_a_feature_that_is_off_asks_for_nothing(key: str) -> None:
    for value in (None, False, ""):
        assert train.changed(train.check({key: value})) == {}


@pytest.mark.parametrize("name", sorted(VALUES_NOT_YET))
def test_a_value_that_is_not_there_is_refused_by_its_own_sentence(name: str) -> None:
    for value in VALUES_NOT_YET[name]:
        if value not in train.ARGUMENTS[name].choices:
            assert refused({name: value})[name] in ("value_not_yet", "template_not_yet")


@pytest.mark.parametrize(("stage", "code"), [("rm", "value_not_yet"), ("pt", "value_not_yet"), ("dpo", "value_not_yet"),
                                             ("none", "not_a_choice")])
def test_stages_of_the_field_are_known_by_name(stage: str, code: str) -> None:
    assert refused({"stage": stage}) == {"stage": code}


def test_tuning_nothing_is_no_tuner() -> None:
    assert refused({"finetuning_type": "none"}) == {"finetuning_type": "not_a_choice"}


def test_resuming_by_key_points_to_the_verb() -> None:
    with pytest.raises(SpecError) as caught:
        train.check({"resume_from_checkpoint": True})
    assert "python launch.py runs resume" in of_error("en", caught.value)
