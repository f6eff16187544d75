"""Recipes as users of LLaMA-Factory have them are understood; what is not there yet is refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from studio.args import document
from studio.errors import SpecError
from studio.specs.override import override
from studio.specs.train import check

# The keys that its single-device LoRA recipe for supervised tuning has, with values of the usual kinds.
LORA = """
### model
model_name_or_path: starter
trust_remote_code: false

### method
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all

### dataset
dataset: identity,number_words
cutoff_len: 2048
max_samples: 1000
preprocessing_num_workers: 16
dataloader_num_workers: 4
overwrite_cache: true

### output
output_dir: saves/starter/lora/sft
logging_steps: 10
save_steps: 500
plot_loss: true
overwrite_output_dir: true
save_only_model: false
report_to: none

### train
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
ddp_timeout: 180000000
resume_from_checkpoint: null

### eval
eval_dataset: arithmetic_heldout
per_device_eval_batch_size: 1
eval_strategy: steps
eval_steps: 500
"""
FULL = {"finetuning_type": "full", "lora_rank": None, "lora_target": None, "deepspeed": "examples/deepspeed/z3.json"}


def recipe(text: str = LORA, **changes: Any) -> dict[str, Any]:
    """The recipe with some keys changed; None takes a key away."""
    found = {**document.loads(text), **changes}
    return {name: value for name, value in found.items() if value is not None or name not in changes}


def test_a_lora_recipe_is_understood() -> None:
    spec = check(recipe())
    assert (spec.dataset, spec.lora_target, spec.compute_type) == (["identity", "number_words"], ["all"], "bf16")
    assert (spec.learning_rate, spec.warmup_ratio, spec.eval_dataset) == (1e-4, 0.1, ["arithmetic_heldout"])
    assert (spec.output_dir, spec.save_steps, spec.gradient_accumulation_steps) == ("saves/starter/lora/sft", 500, 8)


def test_its_ways_of_mixing_and_streaming_are_understood() -> None:
    mixed = {"streaming": True, "buffer_size": 128, "mix_strategy": "interleave_over", "interleave_probs": "0.7,0.3",
             "tokenized_path": "saves/tokens"}
    spec = check(recipe(**mixed))
    assert (spec.mix_strategy, spec.interleave_probs, spec.tokenized_path) == (
        "interleave_over", [0.7, 0.3], "saves/tokens")
    for shares in ("0.7", "0.7,0", "0.5,0.3,0.2"):
        with pytest.raises(SpecError) as caught:
            check(recipe(**{**mixed, "interleave_probs": shares}))
        assert [problem.field for problem in caught.value.problems] == ["interleave_probs"]


def test_its_flags_stand_above_it() -> None:
    spec = check(override(recipe(), {"compute_type": "fp32", "lora_r": 16, "evaluation_strategy": "no"}))
    assert (spec.compute_type, spec.lora_rank, spec.eval_strategy) == ("fp32", 16, "no")


def test_a_full_recipe_is_understood_but_for_deepspeed() -> None:
    with pytest.raises(SpecError) as caught:
        check(recipe(**FULL))
    assert [(problem.code, problem.field) for problem in caught.value.problems] == [("not_yet", "deepspeed")]
    assert check(recipe(**{**FULL, "deepspeed": None})).finetuning_type == "full"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("template", "dbrx"),
        ("stage", "dpo"),
        ("use_unsloth", True),
        ("finetuning_type", "oft"),
        ("rope_scaling", "linear"),
        ("report_to", "wandb"),
        ("push_to_hub", True),
        ("quantization_method", "hqq"),
    ],
)
def test_what_is_not_there_is_refused_by_name(key: str, value: Any) -> None:
    with pytest.raises(SpecError) as caught:
        check(recipe(**{key: value, "eval_dataset": None}))
    assert caught.value.problems[0].field == key
    assert len({problem.field for problem in caught.value.problems}) <= 3


@pytest.mark.slow
def test_such_a_recipe_trains(client: Any, tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    path.write_text(LORA, encoding="utf-8")
    done = client("train", str(path), "max_steps=3", "logging_steps=1", "per_device_eval_batch_size=32", "--json")
    assert done.returncode == 0, done.stderr
    assert '"run": "starter-lora-sft"' in done.stdout
