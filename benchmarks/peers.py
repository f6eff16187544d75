"""One training program per peer, as its users would start it: `peers.py <peer> <model> <data folder> <option=value>…`.

All train LoRA (rank 8, alpha 16, all linear layers) on the same rows in the same order, batch 4, rows cut at 1,024.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

BATCH, LENGTH, RATE = 4, 1024, 1e-4


def llamafactory(model: str, data: str, out: str, options: dict[str, Any]) -> None:
    """LLaMA-Factory with the settings that its board sends; a CPU is asked for, nothing is saved in between."""
    from llamafactory.train.tuner import run_exp

    run_exp({"model_name_or_path": model, "stage": "sft", "do_train": True, "finetuning_type": "lora",
             "lora_target": "all", "lora_rank": 8, "lora_alpha": 16, "dataset": "bench", "dataset_dir": data,
             "template": "chatml", "cutoff_len": LENGTH, "per_device_train_batch_size": BATCH,
             "gradient_accumulation_steps": 1, "learning_rate": RATE, "num_train_epochs": 1.0,
             "lr_scheduler_type": "cosine", "optim": "adamw_torch", "save_strategy": "no", "report_to": "none",
             "output_dir": out, "logging_steps": 5, "overwrite_cache": True, "disable_shuffling": True,
             "use_cpu": True, "max_samples": 100_000, **options})


def _conversations(data: str) -> list[dict[str, Any]]:
    rows = json.loads((Path(data) / "bench.json").read_text(encoding="utf-8"))
    return [{"prompt": [{"role": "user", "content": row["instruction"]}],
             "completion": [{"role": "assistant", "content": row["output"]}]} for row in rows]


def _lora() -> Any:
    from peft import LoraConfig

    return LoraConfig(r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear", task_type="CAUSAL_LM")


def trl(model: str, data: str, out: str, options: dict[str, Any]) -> None:
    """TRL's SFTTrainer with its own defaults (bf16 autocast, gradient checkpointing)."""
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    arguments = SFTConfig(output_dir=out, per_device_train_batch_size=BATCH, max_length=LENGTH, learning_rate=RATE,
                          num_train_epochs=1, logging_steps=5, save_strategy="no", report_to="none", use_cpu=True,
                          train_sampling_strategy="sequential", **options)
    rows = Dataset.from_list(_conversations(data))
    SFTTrainer(model, args=arguments, train_dataset=rows, peft_config=_lora()).train()


def trainer(model: str, data: str, out: str, options: dict[str, Any]) -> None:
    """Hugging Face's Trainer in fp32, padding each batch to its longest row, or flattened."""
    from peft import get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForSeq2Seq,
        DataCollatorWithFlattening,
        Trainer,
        TrainingArguments,
    )

    tokenizer = AutoTokenizer.from_pretrained(model)
    pairs = []
    for row in _conversations(data):
        asked = tokenizer.apply_chat_template(row["prompt"], add_generation_prompt=True, return_dict=False)
        whole = tokenizer.apply_chat_template(row["prompt"] + row["completion"], return_dict=False)
        pairs.append({"input_ids": whole[:LENGTH], "labels": ([-100] * len(asked) + whole[len(asked):])[:LENGTH]})
    collate = DataCollatorWithFlattening() if options.pop("flat", False) else DataCollatorForSeq2Seq(tokenizer)
    arguments = TrainingArguments(output_dir=out, per_device_train_batch_size=BATCH, learning_rate=RATE,
                                  save_strategy="no", num_train_epochs=1, logging_steps=5, report_to="none",
                                  use_cpu=True, train_sampling_strategy="sequential", **options)
    tuned = get_peft_model(AutoModelForCausalLM.from_pretrained(model, dtype="float32"), _lora())
    Trainer(tuned, arguments, collate, pairs).train()


if __name__ == "__main__":
    peer, model, data, *pairs = sys.argv[1:]
    with tempfile.TemporaryDirectory() as out:
        {"llamafactory": llamafactory, "trl": trl, "trainer": trainer}[peer](
            model, data, out, {key: json.loads(value) for key, value in (pair.split("=", 1) for pair in pairs)})
