"""The arguments that every training run has, whatever its stage and tuner; plug-ins bring their own beside them."""

from __future__ import annotations

from typing import Any

from studio.args.fields import Group, NameList, NumberList, Text, arg
from studio.plugins import kinds

SCHEDULERS = ("cosine", "linear", "constant", "constant_with_warmup", "cosine_with_restarts", "cosine_with_min_lr",
              "polynomial", "inverse_sqrt", "warmup_stable_decay")
OPTIMIZERS = ("adamw_torch", "adamw_8bit", "paged_adamw_8bit", "adafactor", "sgd")


class ModelArguments(Group):
    """Which weights the run starts from."""

    group = "model"

    model_name_or_path: Text = arg("starter", basic=True, path=True)
    model_revision: Text = arg("main")
    adapter_name_or_path: NameList = arg([], path=True, aliases=("checkpoint_dir",))
    create_new_adapter: bool = arg(False)
    quantization_bit: int | None = arg(None, choices=(4, 8))
    quantization_type: Text = arg("nf4", choices=("nf4", "fp4"))
    double_quantization: bool = arg(True)


class MethodArguments(Group):
    """How the run learns and what it moves."""

    group = "method"

    stage: Text = arg("sft", choices=kinds("methods"), basic=True)
    finetuning_type: Text = arg("lora", choices=kinds("tuners"), basic=True)


class DataArguments(Group):
    """What the run learns from, and how a row becomes tokens."""

    group = "data"

    dataset: NameList = arg(["number_words"], basic=True)
    eval_dataset: NameList = arg([])
    dataset_dir: Text | None = arg(None, path=True)
    template: Text = arg("own", choices=kinds("templates"), open_choices=True)
    default_system: Text | None = arg(None)
    cutoff_len: int = arg(1024, ge=8, le=1_048_576, aliases=("max_length", "max_seq_length"))
    max_samples: int | None = arg(None, ge=1)
    mix_strategy: Text = arg("concat", choices=("concat", "interleave_under", "interleave_over", "interleave_once"))
    interleave_probs: NumberList = arg([])
    tokenized_path: Text | None = arg(None, path=True)
    val_size: float = arg(0.05, ge=0, aliases=("dev_ratio",))
    packing: bool = arg(False)
    train_on_prompt: bool = arg(False)
    mask_history: bool = arg(False)


class TrainingArguments(Group):
    """How long and how fast the run learns."""

    group = "training"

    num_train_epochs: float = arg(3.0, gt=0, le=10_000, basic=True)
    learning_rate: float | None = arg(None, gt=0, le=10, basic=True, aliases=("lr",))
    per_device_train_batch_size: int = arg(8, ge=1, le=65_536, basic=True,
                                           aliases=("per_gpu_train_batch_size",))
    gradient_accumulation_steps: int = arg(1, ge=1, le=65_536, basic=True)
    max_steps: int = arg(-1, ge=-1)
    seed: int = arg(42, ge=0, le=2**32 - 1)


class OptimizerArguments(Group):
    """How a gradient becomes a step."""

    group = "optimizer"

    optim: Text = arg("adamw_torch", choices=OPTIMIZERS)
    lr_scheduler_type: Text = arg("cosine", choices=SCHEDULERS)
    lr_scheduler_kwargs: dict[str, Any] = arg({})
    warmup_ratio: float = arg(0.03, ge=0, lt=1)
    warmup_steps: int = arg(0, ge=0)
    weight_decay: float = arg(0.0, ge=0, le=10)
    max_grad_norm: float = arg(1.0, ge=0)
    adam_beta1: float = arg(0.9, ge=0, lt=1)
    adam_beta2: float = arg(0.999, ge=0, lt=1)
    adam_epsilon: float = arg(1e-8, gt=0)
    neftune_noise_alpha: float | None = arg(None, gt=0)


class SavingArguments(Group):
    """What is written, measured and kept, and when."""

    group = "saving"

    output_dir: Text | None = arg(None)
    logging_steps: int = arg(5, ge=1)
    eval_strategy: Text = arg("steps", choices=("steps", "epoch", "no"), aliases=("evaluation_strategy",))
    eval_steps: int | None = arg(None, ge=1)
    per_device_eval_batch_size: int = arg(16, ge=1, le=65_536, aliases=("per_gpu_eval_batch_size",))
    save_strategy: Text = arg("steps", choices=("steps", "epoch", "no"))
    save_steps: int | None = arg(None, ge=1)
    save_total_limit: int | None = arg(3, ge=1)
    save_only_model: bool = arg(False)
    load_best_model_at_end: bool | None = arg(None)
    early_stopping_patience: int | None = arg(None, ge=1, aliases=("early_stopping_steps",))
    early_stopping_threshold: float = arg(0.0, ge=0)
    guard: bool = arg(False)


class MeasureArguments(Group):
    """A metric of answers that are written at each evaluation, by which the best checkpoint is chosen."""

    group = "saving"
    stages = ("sft",)

    eval_metric: Text | None = arg(None)
    eval_metric_rows: int = arg(32, ge=1, le=10_000)
    eval_metric_tokens: int = arg(64, ge=1, le=16_384)


class HardwareArguments(Group):
    """Where the run computes and in which numbers."""

    group = "hardware"

    compute_type: Text = arg("auto", choices=("auto", "bf16", "fp16", "fp32"))
    gradient_checkpointing: bool | None = arg(None, aliases=("activation_checkpointing",))
    flash_attn: Text = arg("auto", choices=("auto", "sdpa", "eager", "fa2"))
    launcher: Text = arg("auto", choices=("auto", *kinds("launchers")))
    nproc_per_node: int | None = arg(None, ge=1, le=1024)
    devices: Text | None = arg(None)
    cpu_threads: int | None = arg(None, ge=1, le=1024)


CORE = (ModelArguments, MethodArguments, DataArguments, TrainingArguments, OptimizerArguments, SavingArguments,
        MeasureArguments, HardwareArguments)
