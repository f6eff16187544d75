"""Each tuner learns, writes what other programs read, and reads it back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from studio.engine import evaluation
from tests.engine.workbench import Studio, losses, phase, shared_model

IDS = torch.arange(5, 29)[None]
TUNERS = {
    "lora": {}, "full": dict(finetuning_type="full", learning_rate=1e-3),
    "freeze": dict(finetuning_type="freeze", freeze_trainable_layers=1, freeze_extra_modules=["norm"]),
    "prefix": dict(model_name_or_path="starter", finetuning_type="prefix", learning_rate=5e-3),
    "projected prefix": dict(finetuning_type="prefix", prefix_projection=True, learning_rate=1e-2),
    "bf16": dict(compute_type="bf16"),
    "bf16 full": dict(finetuning_type="full", compute_type="bf16", learning_rate=1e-3),
    "packing": dict(packing=True, num_train_epochs=20.0), "sgd": dict(optim="sgd", learning_rate=0.5),
    "adafactor": dict(optim="adafactor"), "neftune": dict(neftune_noise_alpha=5.0),
    "checkpointing": dict(gradient_checkpointing=True), "decay": dict(weight_decay=0.1),
}


@pytest.mark.parametrize("tuner", TUNERS)
def test_the_loss_falls(tuner: str, studio: Studio, llama: str) -> None:
    trainer = studio.trainer(studio.run("run", **dict(dict(model_name_or_path=llama, num_train_epochs=4.0),
                                                      **TUNERS[tuner])))
    trainer.train()
    found = list(losses(trainer.job.folder).values())
    third = max(1, len(found) // 3)
    assert sum(found[-third:]) < 0.95 * sum(found[:third]), found


@pytest.mark.parametrize("tuner", ["full", "freeze", "lora"])
def test_a_checkpoint_is_read_by_others(tuner: str, studio: Studio, llama: str) -> None:
    from transformers import AutoModelForCausalLM

    trainer = studio.trainer(studio.run("run", model_name_or_path=llama, max_steps=3, **TUNERS[tuner]))
    trainer.train()
    path = trainer.job.folder.checkpoint(3)
    if tuner == "lora":
        from peft import PeftModel

        theirs = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(llama), path)
    else:
        theirs = AutoModelForCausalLM.from_pretrained(path)
        for name in ("tokenizer.json", "tokenizer_config.json", "config.json"):
            assert (path / name).is_file()
    ours = trainer.tuned.model.eval()
    ours.config._attn_implementation = "sdpa"
    assert torch.allclose(theirs.eval()(IDS).logits, ours(IDS, use_cache=False).logits, atol=2e-5)


def test_only_what_was_named_moves(studio: Studio, llama: str) -> None:
    from safetensors.torch import load_file

    trainer = studio.trainer(studio.run("run", model_name_or_path=llama, finetuning_type="freeze", max_steps=2,
                                        freeze_trainable_layers=-1, freeze_trainable_modules=["mlp"]))
    trainer.train()
    before, after = (load_file(f / "model.safetensors") for f in (Path(llama), trainer.job.folder.checkpoint(2)))
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {f"model.layers.0.mlp.{part}_proj.weight" for part in ("gate", "up", "down")}


@pytest.mark.parametrize("bits", [4, 8])
def test_a_quantized_base_learns_below_its_last_adapter(bits: int, studio: Studio, tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    from tests.engine.workbench import make_model

    folder = make_model(tmp_path / "wide", "llama", hidden_size=64, intermediate_size=128)
    run = studio.run("run", model_name_or_path=folder, quantization_bit=bits, num_train_epochs=3.0, eval_steps=3)
    trainer = studio.trainer(run)
    trainer.train()
    found = list(losses(run).values())
    assert sum(found[-5:]) < sum(found[:5])
    first = next(p for name, p in trainer.tuned.moving.items() if "layers.0.self_attn.q_proj.lora_B" in name)
    assert float(first.abs().max()) > 1e-3


@pytest.mark.parametrize("name", ["stories3M", "cardputer-chat-3M"])
@pytest.mark.parametrize("tuner", ["lora", "full", "freeze", "prefix"])
def test_published_models_learn_with_every_tuner(name: str, tuner: str, studio: Studio) -> None:
    run = studio.run("run", model_name_or_path=shared_model(name), max_steps=12, finetuning_type=tuner,
                     per_device_train_batch_size=2, learning_rate={"full": 3e-4, "prefix": 1e-2}.get(tuner, 2e-3))
    trainer = studio.trainer(run)
    before = held_out_loss(trainer)
    trainer.train()
    assert held_out_loss(trainer) < before


def held_out_loss(trainer: Any) -> float:
    """The loss of the rows held out: always the same ones, where the training loss jumps from batch to batch."""
    return evaluation.loss(trainer.job, trainer.network, trainer.held_out, trainer.pad)


def test_a_finished_run_says_so(studio: Studio, llama: str) -> None:
    run = studio.run("run", model_name_or_path=llama, max_steps=2)
    assert studio.engine(run) == 0 and phase(run) == "finished"
    assert "numbers move" in run.console.read_text()
