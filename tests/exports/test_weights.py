"""Weights are merged as PEFT merges them, block by block, from safetensors to safetensors."""

from __future__ import annotations

import json
import resource
import shutil
import signal
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from studio.errors import InputError, StopAsked, WorkError
from studio.exports import weights
from studio.exports.weights import files, numbers, writing
from tests.engine.workbench import make_model
from tests.exports.weighing import adapter, as_dtype, differences, load, merged, source, theirs, work

IDS = torch.arange(5, 29)[None]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
KINDS: dict[str, dict[str, Any]] = {
    "lora": {}, "rslora": {"use_rslora": True}, "dora": {"use_dora": True},
    "patterns": {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"v_proj": 3, "layers.1.mlp.down_proj": 5}},
    "embedding": {"modules_to_save": ["embed_tokens"]}, "head": {"modules_to_save": ["lm_head"]},
    "both": {"modules_to_save": ["embed_tokens", "lm_head"]}, "norm": {"modules_to_save": ["norm"]},
    "tokens": {"trainable_token_indices": [3, 5, 1279]}, "half": {"target_modules": ["q_proj", "down_proj"]},
    "first layer": {"target_modules": ["q_proj"], "layers_to_transform": [0]},
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A Llama in three dtypes, its embeddings tied, and a GPT-2, whose layers are stored as (in, out)."""
    root = tmp_path_factory.mktemp("bases")
    llama = Path(make_model(root / "llama", "llama", num_key_value_heads=2))
    gpt2 = Path(make_model(root / "gpt2", "gpt2", n_embd=32, n_head=4, n_layer=2))
    return {"fp32": llama, "gpt2": gpt2,
            **{name: as_dtype(llama, root / f"llama-{name}", DTYPES[name]) for name in ("bf16", "fp16")}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_a_merge_is_that_of_peft(kind: str, dtype: str, bases: dict[str, Path], tmp_path: Path) -> None:
    folder = adapter(bases[dtype], tmp_path / "adapter", **KINDS[kind])
    merged(tmp_path / "out", source(bases[dtype], folder))
    ours, reference = load(tmp_path / "out", DTYPES[dtype]), theirs(bases[dtype], [folder], DTYPES[dtype])
    found = differences(ours, reference)
    # DoRA's row lengths are sums over the row, which torch and numpy add in another order: the last bit may differ.
    # Elsewhere nothing differs here; another processor's products may round the last bit of a float32 otherwise.
    nearest = {"fp32": 5e-8, "bf16": 2e-3 if kind == "dora" else 0.0}[dtype]
    assert max(found.values(), default=0.0) <= nearest, found
    if dtype == "fp32":
        assert torch.allclose(ours(IDS).logits, reference(IDS).logits, atol=1e-5)


@pytest.mark.parametrize("kind", ["lora", "dora", "head"])
def test_layers_that_are_stored_across_are_merged_too(kind: str, bases: dict[str, Path], tmp_path: Path) -> None:
    folder = adapter(bases["gpt2"], tmp_path / "adapter", **KINDS[kind])
    merged(tmp_path / "out", source(bases["gpt2"], folder))
    assert max(differences(load(tmp_path / "out"), theirs(bases["gpt2"], [folder])).values(), default=0.0) <= 5e-8


@pytest.mark.parametrize(("family", "head"), [("bloom", ""), ("gpt_neox", "embed_out"), ("gemma", "lm_head"),
                                              ("gpt_neo", ""), ("glm", "lm_head"), ("opt", "")])
def test_every_family_is_merged(family: str, head: str, tmp_path: Path) -> None:
    more = {"bloom": {"n_layer": 2, "n_head": 4}, "gemma": {"head_dim": 8},
            "gpt_neo": {"num_layers": 2, "num_heads": 4, "attention_types": [[["global", "local"], 1]]},
            "gpt_neox": {"tie_word_embeddings": False}, "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
            "glm": {"head_dim": 8, "num_key_value_heads": 2, "tie_word_embeddings": False}}[family]
    base = Path(make_model(tmp_path / "base", family, **more))
    folder = adapter(base, tmp_path / "adapter", modules_to_save=[head] if head else None)
    made = merged(tmp_path / "out", source(base, folder))
    reference = theirs(base, [folder])
    assert max(differences(load(tmp_path / "out"), reference).values(), default=0.0) <= 5e-8
    assert made.config.get("tie_word_embeddings") == reference.config.tie_word_embeddings


def test_names_of_older_checkpoints_are_found(bases: dict[str, Path], tmp_path: Path) -> None:
    """GPT-2's own files lack the outer name `transformer.`, which PEFT writes."""
    base = tmp_path / "base"
    shutil.copytree(bases["gpt2"], base)
    found = files.of_model(base)
    plan = {name.removeprefix("transformer."): weights.Planned(one.shape, one.dtype) for name, one in found.items()}
    for _ in writing.write_file(base / "aside", plan, lambda name: [found[f"transformer.{name}"].whole()]):
        pass
    (base / "aside").rename(base / "model.safetensors")
    folder = adapter(bases["gpt2"], tmp_path / "adapter")
    merged(tmp_path / "out", source(base, folder))
    assert "h.0.attn.c_attn.weight" in files.of_model(tmp_path / "out")
    assert max(differences(load(tmp_path / "out"), theirs(bases["gpt2"], [folder])).values(), default=0.0) <= 5e-8


def test_half_numbers_round_as_torch_rounds(bases: dict[str, Path], tmp_path: Path) -> None:
    folder = adapter(bases["fp16"], tmp_path / "adapter")
    merged(tmp_path / "out", source(bases["fp16"], folder))
    assert not differences(load(tmp_path / "out", torch.float16), theirs(bases["fp16"], [folder], torch.float16))


@pytest.mark.parametrize(("stored", "wanted"), [("fp32", "bf16"), ("bf16", "fp32"), ("fp32", "fp16")])
def test_another_dtype_is_rounded_once_at_the_end(stored: str, wanted: str, bases: dict[str, Path],
                                                  tmp_path: Path) -> None:
    folder = adapter(bases[stored], tmp_path / "adapter")
    made = merged(tmp_path / "out", source(bases[stored], folder), wanted)
    reference = theirs(bases[stored], [folder], torch.float32).to(DTYPES[wanted])
    assert not differences(load(tmp_path / "out", DTYPES[wanted]), reference)
    assert made.config["dtype"] == made.config["torch_dtype"] == str(DTYPES[wanted]).removeprefix("torch.")
    assert {one.dtype for one in files.of_model(tmp_path / "out").values()} == {numbers.WORDS[wanted]}


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
def test_adapters_are_worked_in_one_after_the_other(dtype: str, bases: dict[str, Path], tmp_path: Path) -> None:
    given = [adapter(bases[dtype], tmp_path / "one", 1, use_dora=True),
             adapter(bases[dtype], tmp_path / "two", 2, target_modules=["q_proj", "up_proj"]),
             adapter(bases[dtype], tmp_path / "three", 3, modules_to_save=["norm"])]
    merged(tmp_path / "out", source(bases[dtype], *given))
    found = differences(load(tmp_path / "out", DTYPES[dtype]), theirs(bases[dtype], given, DTYPES[dtype]))
    assert max(found.values(), default=0.0) <= {"fp32": 1e-7, "bf16": 4e-3}[dtype]


def test_weighted_adapters_add_their_share(bases: dict[str, Path], tmp_path: Path) -> None:
    from peft import PeftModel

    given = [adapter(bases["fp32"], tmp_path / "one", 1), adapter(bases["fp32"], tmp_path / "two", 2)]
    merged(tmp_path / "out", source(bases["fp32"], (given[0], 0.25), (given[1], -0.5)))
    reference = PeftModel.from_pretrained(load(bases["fp32"]), given[0], adapter_name="one")
    reference.load_adapter(given[1], "two")
    for module in reference.modules():
        if hasattr(module, "set_scale"):
            module.set_scale("one", 0.25)
            module.set_scale("two", -0.5)
    reference.base_model.set_adapter(["one", "two"])
    found = differences(load(tmp_path / "out"), reference.merge_and_unload())
    assert max(found.values(), default=0.0) <= 3e-8


@pytest.mark.parametrize("kind", ["dora", "both"])
def test_half_of_an_adapter_is_half_way_to_it(kind: str, bases: dict[str, Path], tmp_path: Path) -> None:
    folder = adapter(bases["fp32"], tmp_path / "adapter", **KINDS[kind])
    none, half, whole = (weights.stream(source(bases["fp32"], (folder, weight)), "fp32") for weight in (0.0, 0.5, 1.0))
    for name in whole.planned:
        assert np.allclose(half.read(name), (none.read(name) + whole.read(name)) / 2, atol=1e-6), name


def test_a_tied_embedding_that_lora_targets_speaks_as_the_adapter_does(bases: dict[str, Path], tmp_path: Path) -> None:
    """PEFT's own merge of it is wrong (the output layer moves along), so the adapter itself is asked."""
    from peft import PeftModel

    folder = adapter(bases["fp32"], tmp_path / "adapter", target_modules=["embed_tokens", "q_proj"])
    made = merged(tmp_path / "out", source(bases["fp32"], folder))
    reference = PeftModel.from_pretrained(load(bases["fp32"]), folder).eval()
    assert made.config["tie_word_embeddings"] is False
    assert torch.allclose(load(tmp_path / "out")(IDS).logits, reference(IDS).logits, atol=1e-4)


@pytest.mark.parametrize("begun", ["pissa", "olora"])
def test_an_adapter_that_took_its_part_out_of_the_base_is_merged_as_peft_does(begun: str, bases: dict[str, Path],
                                                                              tmp_path: Path) -> None:
    folder = adapter(bases["fp32"], tmp_path / "adapter", init_lora_weights=begun)
    config = json.loads((folder / "adapter_config.json").read_text())
    assert config["init_lora_weights"] == begun
    merged(tmp_path / "out", source(bases["fp32"], folder))
    reference = theirs(bases["fp32"], [folder])
    assert max(differences(load(tmp_path / "out"), reference).values(), default=0.0) <= 2e-6


def test_pissa_that_was_made_a_plain_lora_is_merged(bases: dict[str, Path], tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model

    model = get_peft_model(load(bases["fp32"]), LoraConfig(r=4, init_lora_weights="pissa_niter_4",
                                                           target_modules="all-linear", task_type="CAUSAL_LM"))
    model.peft_config["default"].init_lora_weights = True
    model.save_pretrained(tmp_path / "fresh")
    model.peft_config["default"].init_lora_weights = "pissa_niter_4"
    for name, p in model.named_parameters():
        if "lora_B" in name:
            p.data.add_(torch.randn_like(p) * 0.05)
    logits = model.eval()(IDS).logits
    model.save_pretrained(tmp_path / "plain", path_initial_model_for_weight_conversion=str(tmp_path / "fresh"))
    merged(tmp_path / "out", source(bases["fp32"], tmp_path / "plain"))
    assert torch.allclose(load(tmp_path / "out")(IDS).logits, logits, atol=1e-4)



def test_a_beginning_that_cannot_be_repeated_is_refused_by_name(bases: dict[str, Path], tmp_path: Path) -> None:
    folder = adapter(bases["fp32"], tmp_path / "adapter", init_lora_weights="pissa_niter_4")
    with pytest.raises(InputError) as caught:
        weights.stream(source(bases["fp32"], folder))
    assert caught.value.code == "adapter_feature" and "pissa_niter_4" in caught.value.values["name"]


@pytest.mark.parametrize("saved", [["embed_tokens", "lm_head"], None])
def test_a_vocabulary_that_grew_is_in_weights_and_config(saved: list[str] | None, bases: dict[str, Path],
                                                         tmp_path: Path) -> None:
    from peft import LoraConfig, PeftModel, get_peft_model

    model = load(bases["fp32"])
    model.resize_token_embeddings(1300)
    tuned = get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"], modules_to_save=saved))
    tuned.save_pretrained(tmp_path / "adapter", save_embedding_layers=True)
    again = load(bases["fp32"])
    again.resize_token_embeddings(1300)
    reference = PeftModel.from_pretrained(again, tmp_path / "adapter").merge_and_unload().eval()
    made = merged(tmp_path / "out", source(bases["fp32"], tmp_path / "adapter"))
    assert made.config["vocab_size"] == 1300
    ours = load(tmp_path / "out")
    assert ours.get_input_embeddings().weight.shape[0] == ours.get_output_embeddings().weight.shape[0] == 1300
    assert torch.allclose(ours(IDS).logits, reference(IDS).logits, atol=1e-5)


@pytest.mark.parametrize("bits", [4, 8])
def test_a_base_in_few_bits_becomes_ordinary_numbers(bits: int, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    base = Path(make_model(tmp_path / "base", "llama", hidden_size=128, intermediate_size=256))
    config = BitsAndBytesConfig(load_in_8bit=True) if bits == 8 else BitsAndBytesConfig(
        load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.float32)
    packed = AutoModelForCausalLM.from_pretrained(base, quantization_config=config, device_map={"": "cpu"},
                                                  dtype=torch.float32)
    packed.save_pretrained(tmp_path / "packed")
    folder = adapter(base, tmp_path / "adapter")
    made = merged(tmp_path / "out", source(tmp_path / "packed", folder), "fp32")
    assert made.warnings()[0][0] == "export_dequantized" and "quantization_config" not in made.config
    reference = theirs_of_packed(packed, folder)
    ours = load(tmp_path / "out").state_dict()
    far = {name: float((ours[name] - value).abs().max()) for name, value in reference.items()}
    assert len(far) == 14 and max(far.values()) <= 1e-6, far


def theirs_of_packed(packed: Any, folder: Path) -> dict[str, Any]:
    """The weights of the layers: what bitsandbytes makes of them, and what PEFT adds."""
    from peft import PeftModel
    from peft.utils.integrations import dequantize_bnb_weight

    tuned = PeftModel.from_pretrained(packed, folder)
    return {name.removeprefix("base_model.model.") + ".weight":
            dequantize_bnb_weight(one.base_layer.weight, getattr(one.base_layer, "state", None)).float()
            + one.get_delta_weight("default").float()
            for name, one in tuned.named_modules() if hasattr(one, "get_delta_weight")}


def test_a_run_on_a_base_in_few_bits_is_told_how_far_its_base_was(bases: dict[str, Path], tmp_path: Path) -> None:
    folder = adapter(bases["fp32"], tmp_path / "adapter")
    shares = {}
    for bits in (8, 4):
        key, values = weights.stream(source(bases["fp32"], folder, quantization_bit=bits)).warnings()[0]
        assert key == "export_unquantized" and values["bits"] == bits
        shares[bits] = float(values["share"].rstrip("%"))
    assert 0.2 < shares[8] < 2 < 5 < shares[4] < 15


# ---- files ----

def test_shards_are_of_the_chosen_size_and_load_with_their_index(bases: dict[str, Path], tmp_path: Path) -> None:
    folder = adapter(bases["fp32"], tmp_path / "adapter")
    merged(tmp_path / "out", source(bases["fp32"], folder), size_gb=60_000 / 1e9)
    found = sorted(path.name for path in (tmp_path / "out").glob("*.safetensors"))
    assert len(found) > 2 and found[0] == f"model-00001-of-{len(found):05d}.safetensors"
    index = json.loads((tmp_path / "out" / files.INDEX).read_text())
    assert set(index["weight_map"].values()) == set(found)
    assert max(differences(load(tmp_path / "out"), theirs(bases["fp32"], [folder])).values(), default=0.0) <= 5e-8


@pytest.mark.parametrize("by_kernel", [True, False])
def test_untouched_tensors_are_the_same_bytes(by_kernel: bool, bases: dict[str, Path], tmp_path: Path,
                                              monkeypatch: pytest.MonkeyPatch) -> None:
    if not by_kernel:
        monkeypatch.setattr(writing, "_by_kernel", lambda *given: 0)
    merged(tmp_path / "out", source(bases["bf16"]))
    before, after = files.of_model(bases["bf16"]), files.of_model(tmp_path / "out")
    assert list(before) == list(after)
    assert all(np.array_equal(before[name].stored(0, len(before[name].stored(0, before[name].shape[0]))),
                              after[name].stored(0, before[name].shape[0])) for name in before)


def test_memory_is_that_of_a_block_whatever_the_tensor(tmp_path: Path) -> None:
    base = tmp_path / "base"
    base.mkdir()
    rows = 1 << 14
    plan = {"model.embed_tokens.weight": weights.Planned((rows, 1024), "BF16"),
            "model.layers.0.mlp.up_proj.weight": weights.Planned((rows, 1024), "BF16")}
    dice = np.random.default_rng(0)
    list(writing.write_file(base / "model.safetensors", plan,
                            lambda name: [dice.integers(0, 1 << 14, (rows, 1024), np.uint16)]))
    (base / "config.json").write_text('{"model_type": "llama", "tie_word_embeddings": true}')
    low = tmp_path / "adapter"
    low.mkdir()
    module = "base_model.model.model.layers.0.mlp.up_proj.lora_"
    factors = {f"{module}A.weight": (4, 1024), f"{module}B.weight": (rows, 4)}
    list(writing.write_file(low / "adapter_model.safetensors",
                            {name: weights.Planned(shape, "F32") for name, shape in factors.items()},
                            lambda name: [np.full(factors[name], 0.5, np.float32)]))
    (low / "adapter_config.json").write_text('{"peft_type": "LORA", "r": 4, "lora_alpha": 8}')
    tracemalloc.start()
    try:
        merged(tmp_path / "out", source(base, low))
        assert tracemalloc.get_traced_memory()[1] < 8e6 < 2 * rows * 1024
    finally:
        tracemalloc.stop()


def test_a_stop_leaves_in_the_middle_of_a_tensor(bases: dict[str, Path], tmp_path: Path) -> None:
    looks = 0

    def stay() -> None:
        nonlocal looks
        looks += 1
        if looks == 5:
            raise StopAsked("here")

    folder = adapter(bases["fp32"], tmp_path / "adapter")
    found = source(bases["fp32"], folder)
    with pytest.raises(StopAsked):
        weights.write(weights.stream(found), tmp_path / "out", 5.0, work(tmp_path / "out", found, stay))
    assert not (tmp_path / "out" / "config.json").exists()


@pytest.mark.parametrize("name", ["write", "copy_file_range"])
def test_a_full_disk_is_said_with_the_target(name: str, bases: dict[str, Path], tmp_path: Path) -> None:
    found = source(bases["fp32"], *([adapter(bases["fp32"], tmp_path / "adapter")] if name == "write" else []))
    made = work(tmp_path / "out", found)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(WorkError) as caught:
            weights.write(weights.stream(found), made.into, 5.0, made)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert caught.value.code == "disk_full" and caught.value.values["path"] == str(made.target)


# ---- what is refused ----

def test_numbers_that_fp16_cannot_hold_are_named(bases: dict[str, Path], tmp_path: Path) -> None:
    model = load(bases["fp32"])
    model.model.layers[1].mlp.down_proj.weight.data[3, 4] = 70_000
    model.save_pretrained(tmp_path / "large")
    with pytest.raises(WorkError) as caught:
        merged(tmp_path / "out", source(tmp_path / "large"), "fp16")
    assert caught.value.code == "export_overflow" and "layers.1.mlp.down_proj" in caught.value.values["name"]
    merged(tmp_path / "wide", source(tmp_path / "large"), "bf16")


def test_numbers_that_are_none_are_named(bases: dict[str, Path], tmp_path: Path) -> None:
    model = load(bases["fp32"])
    model.model.norm.weight.data[0] = float("nan")
    model.save_pretrained(tmp_path / "broken")
    with pytest.raises(WorkError) as caught:
        merged(tmp_path / "out", source(tmp_path / "broken"), "bf16")
    assert caught.value.code == "export_not_finite" and caught.value.values["name"] == "model.norm.weight"


def test_an_adapter_of_another_model_is_refused_before_anything_is_written(bases: dict[str, Path],
                                                                          tmp_path: Path) -> None:
    other = Path(make_model(tmp_path / "other", "llama", hidden_size=48, num_hidden_layers=3))
    for base, folder in ((bases["fp32"], adapter(other, tmp_path / "wide")),
                         (bases["gpt2"], adapter(other, tmp_path / "foreign", 1, target_modules=["q_proj"]))):
        with pytest.raises(InputError) as caught:
            weights.stream(source(base, folder))
        assert caught.value.code == "adapter_mismatch"


# ---- numbers ----

def test_bfloat16_is_rounded_as_torch_rounds_it() -> None:
    dice = np.random.default_rng(0)
    bits = dice.integers(0, 1 << 32, 1 << 18, np.uint64).astype(np.uint32)
    bits[:8] = [0, 0x80000000, 0x7F800000, 0xFF800000, 0x3F808000, 0x3F818000, 0x00000001, 0x7F7FFFFF]
    values = bits.view(np.float32)[np.isfinite(bits.view(np.float32)) | np.isinf(bits.view(np.float32))]
    theirs_ = torch.from_numpy(values.copy()).to(torch.bfloat16)
    ours = numbers.narrowed(values.copy(), "BF16")
    assert np.array_equal(ours, theirs_.view(torch.int16).numpy().view(np.uint16))
    assert np.array_equal(numbers.floats(np.ascontiguousarray(ours), "BF16"), theirs_.float().numpy())


def test_what_is_read_is_what_is_written(bases: dict[str, Path], tmp_path: Path) -> None:
    found = source(bases["bf16"], adapter(bases["bf16"], tmp_path / "adapter"))
    made = merged(tmp_path / "out", found)
    after = files.of_model(tmp_path / "out")
    for name in made.planned:
        assert np.array_equal(made.read(name), after[name].whole()), name
        assert np.array_equal(np.concatenate(list(made.blocks(name, 100))), after[name].whole())
