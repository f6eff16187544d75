"""LoRA of our own is PEFT's: logits, gradients, files in both directions, merging."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from studio.engine import adapters
from studio.errors import InputError
from studio.plugins import plugin
from tests.engine.workbench import Studio, losses, make_model

KINDS = {"plain": {}, "rslora": {"use_rslora": True}, "dora": {"use_dora": True},
         "also": {"modules_to_save": ["embed_tokens"]}}


def fresh(folder: str) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def theirs(folder: str, **more: Any) -> Any:
    """PEFT's adapter with random B on a fresh model."""
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(1)
    targets = more.pop("target_modules", "all-linear")
    model = get_peft_model(fresh(folder), LoraConfig(r=4, lora_alpha=12, target_modules=targets, task_type="CAUSAL_LM",
                                                     **more))
    for name, p in model.named_parameters():
        if "lora_B" in name or "magnitude" in name or "modules_to_save" in name:
            p.data.add_(torch.randn_like(p) * 0.1)
    return model


def shape(**more: Any) -> adapters.Shape:
    return adapters.Shape(4, 12, ("all",), rank_stabilised=more.get("use_rslora", False),
                          dora=more.get("use_dora", False), also=tuple(more.get("modules_to_save", ())))


IDS = torch.arange(5, 29)[None]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("family", ["llama", "qwen2", "gpt2"])
def test_an_adapter_of_peft_gives_the_same_logits_and_gradients(kind: str, family: str, tmp_path: Path) -> None:
    more = dict(n_embd=32, n_head=4, n_layer=2) if family == "gpt2" else {"num_key_value_heads": 2}
    if family == "gpt2" and kind == "also":
        pytest.skip("GPT-2 has no embed_tokens")
    folder = make_model(tmp_path / "base", family, **more)
    reference = theirs(folder, **KINDS[kind])
    reference.save_pretrained(tmp_path / "adapter")
    ours = fresh(folder).requires_grad_(False)
    found = adapters.read_shape(tmp_path / "adapter")
    weights = adapters.attach(ours, found)
    adapters.load(tmp_path / "adapter", weights)
    a, b = reference(IDS, labels=IDS), ours(IDS, labels=IDS)
    assert torch.allclose(a.logits, b.logits, atol=2e-5)
    a.loss.backward()
    b.loss.backward()
    their = {n.replace(".default", "").replace("modules_to_save.", ""): p.grad for n, p in reference.named_parameters()
             if p.requires_grad}
    assert len(their) == len(weights)
    for name, p in weights.items():
        grad = their.get(name, their.get(name + ".weight"))
        assert grad is not None and torch.allclose(grad, p.grad, atol=1e-5 + 1e-4 * float(grad.abs().max())), name


@pytest.mark.parametrize("kind", KINDS)
def test_peft_loads_what_we_save(kind: str, llama: str, tmp_path: Path) -> None:
    from peft import PeftModel

    ours = fresh(llama).requires_grad_(False)
    made = shape(**KINDS[kind])
    made = adapters.Shape(**{**vars(made), "targets": ("q_proj", "v_proj", "down_proj"), "base": llama})
    weights = adapters.attach(ours, made)
    torch.manual_seed(3)
    for p in weights.values():
        p.data.add_(torch.randn_like(p) * 0.1)
    adapters.save(tmp_path, made, weights)
    loaded = PeftModel.from_pretrained(fresh(llama), tmp_path).eval()
    missing = [n for n, p in loaded.named_parameters() if "lora" in n and p.isnan().any()]
    assert not missing
    assert torch.allclose(loaded(IDS).logits, ours.eval()(IDS).logits, atol=2e-5)


@pytest.mark.parametrize("kind", ["plain", "rslora", "dora"])
def test_merging_gives_an_ordinary_model_with_the_same_logits(kind: str, llama: str, tmp_path: Path) -> None:
    reference = theirs(llama, **KINDS[kind])
    reference.save_pretrained(tmp_path)
    ours = fresh(llama).requires_grad_(False)
    adapters.load(tmp_path, adapters.attach(ours, adapters.read_shape(tmp_path)))
    adapters.merge(ours)
    assert torch.allclose(reference(IDS).logits, ours(IDS).logits, atol=2e-5)
    merged = reference.merge_and_unload().state_dict()
    for name, value in ours.state_dict().items():
        assert torch.allclose(value, merged[name], atol=1e-6), name


def test_dropout_takes_peft_s_place(llama: str) -> None:
    ours = fresh(llama).requires_grad_(False)
    weights = adapters.attach(ours, adapters.Shape(4, 8, ("all",), drop=0.5))
    for p in weights.values():
        p.data.add_(0.05)
    ours.eval()
    still = ours(IDS).logits
    ours.train()
    torch.manual_seed(0)
    first = ours(IDS).logits
    torch.manual_seed(0)
    assert torch.equal(first, ours(IDS).logits) and not torch.allclose(first, still)


def test_a_target_that_matches_nothing_names_what_there_is(llama: str) -> None:
    with pytest.raises(InputError) as caught:
        adapters.attach(fresh(llama), adapters.Shape(4, 8, ("q_proj", "query")))
    assert caught.value.code == "lora_target_nothing" and "q_proj" in caught.value.values["names"]
    with pytest.raises(InputError) as caught:
        adapters.attach(fresh(llama), adapters.Shape(4, 8, ("embed_tokens",)))
    assert caught.value.code == "lora_target_kind"


def test_a_run_goes_on_with_an_adapter_and_starts_anew_on_merged_ones(studio: Studio, llama: str) -> None:
    first = studio.run("first", model_name_or_path=llama, max_steps=6)
    studio.here(first)
    going_on = studio.run("second", model_name_or_path=llama, adapter_name_or_path=["first"], max_steps=1,
                          learning_rate=1e-6)
    anew = studio.run("third", model_name_or_path=llama, adapter_name_or_path=["first"], create_new_adapter=True,
                      lora_rank=3, max_steps=1, learning_rate=1e-6)
    plain = studio.run("fourth", model_name_or_path=llama, max_steps=1, learning_rate=1e-6)
    for run in (going_on, anew, plain):
        studio.here(run)
    assert abs(losses(going_on)[1] - losses(anew)[1]) < 1e-4
    assert losses(plain)[1] > losses(going_on)[1] + 0.01
    ranks = [adapters.read_shape(run.checkpoint(1)).rank for run in (going_on, anew)]
    assert ranks == [8, 3]


@pytest.mark.parametrize("draft", [
    dict(finetuning_type="lora"), dict(finetuning_type="lora", use_dora=True, additional_target=["embed_tokens"]),
    dict(finetuning_type="lora", lora_target=["q_proj", "down_proj"], lora_rank=3), dict(finetuning_type="full"),
    dict(finetuning_type="freeze"), dict(finetuning_type="freeze", freeze_trainable_layers=-1,
                                         freeze_trainable_modules=["mlp"], freeze_extra_modules=["norm"]),
    dict(finetuning_type="prefix"), dict(finetuning_type="prefix", prefix_projection=True, pre_seq_len=5)], ids=str)
@pytest.mark.parametrize("family", ["llama", "qwen2"])
def test_the_count_without_torch_is_the_real_one(draft: dict[str, Any], family: str, tmp_path: Path,
                                                 studio: Studio) -> None:
    folder = make_model(tmp_path / "base", family, num_key_value_heads=2)
    job = studio.job(studio.run("count", model_name_or_path=folder, **draft))
    from studio.data import model

    job.model_folder, job.facts = Path(folder), model.inspect(Path(folder))
    tuner = plugin("tuners", job.spec.finetuning_type)
    assert tuner.trainable(job.facts, job.spec) == tuner.attach(fresh(folder).requires_grad_(False), job).count
