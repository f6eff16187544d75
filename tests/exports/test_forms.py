"""The forms adapter, merged, full and prefix are what others load, and speak as the training did."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from studio.errors import InputError
from studio.exports import speech
from studio.exports.source import PREFIX, Part, Source
from studio.plugins import kinds
from studio.plugins.exporters import exporter
from studio.sample import Message
from studio.workspace import PROJECT, Workspace
from tests.engine.workbench import SHARED_MODELS, make_model
from tests.exports.weighing import adapter, differences, load, source, theirs, work

IDS = torch.arange(5, 29)[None]
TALK = [{"role": "user", "content": "1 + 1 = ?"}, {"role": "assistant", "content": "2"},
        {"role": "user", "content": "你好"}]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama with the starter's tokenizer."""
    return Path(make_model(tmp_path_factory.mktemp("forms") / "org--tiny", "llama", num_key_value_heads=2))


def wrote(form: str, into: Path, found: Source, **spec: Any) -> Any:
    """The work of a form that has written."""
    made = work(into, found, export_to=form, **spec)
    exporter(form).write(made)
    return made


# ---- how the result speaks ----

@pytest.mark.parametrize("draft", [
    {}, {"default_system": "Answer „in one\" word.\n要简短。"}, {"template": "alpaca"}, {"template": "qwen3"},
    {"template": "chatml", "default_system": "Be kind."}], ids=str)
def test_others_render_and_end_a_talk_as_the_training_did(draft: dict[str, Any], base: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer, GenerationConfig

    found = replace(source(base), **draft)
    wrote("merged", tmp_path / "out", found)
    chat, tokenizer = found.chat(Workspace.at()), AutoTokenizer.from_pretrained(tmp_path / "out")
    for turns in (TALK[:1], TALK, [{"role": "system", "content": "Own."}, *TALK]):
        said = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        wanted = chat.render([Message(**one) for one in turns], add_generation_prompt=True)
        assert said == wanted
        ids = tokenizer.apply_chat_template(turns, add_generation_prompt=True, return_dict=False)
        assert ids == chat.encode_text(wanted)
    ends = GenerationConfig.from_pretrained(tmp_path / "out").eos_token_id
    assert set(chat.eos_ids) == set(ends if isinstance(ends, list) else [ends])
    config = json.loads((tmp_path / "out" / "tokenizer_config.json").read_text())
    assert config["chat_template"] == (tmp_path / "out" / speech.TEMPLATE).read_text(encoding="utf-8")


def test_the_token_that_training_taught_ends_an_answer_though_the_model_names_another(tmp_path: Path) -> None:
    folder = Path(make_model(tmp_path / "base", "llama"))
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "eos_token": "<|endoftext|>"}))
    for name in ("config.json", "generation_config.json"):
        (folder / name).write_text(json.dumps({**json.loads((folder / name).read_text()), "eos_token_id": 0}))
    found = speech.speech(source(folder), Workspace.at())
    assert found.end == "<|im_end|>" and found.eos_ids == (2, 0) and found.stops == ("<|im_end|>", "<|endoftext|>")
    assert found.generation["eos_token_id"] == [2, 0]


def test_pieces_alone_become_a_tokenizer_that_everybody_opens(tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = SHARED_MODELS.parent / "tokenizers" / "mistral"
    if not folder.is_dir():
        pytest.skip("needs the shared tokenizers")
    made = work(tmp_path / "out", Source("mistral", folder, "mistral", template="mistral"))
    found = speech.write_companions(made)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    text = tokenizer.apply_chat_template(TALK, tokenize=False, add_generation_prompt=True)
    assert text == found.chat.render([Message(**one) for one in TALK], add_generation_prompt=True)
    assert tokenizer(text, add_special_tokens=False)["input_ids"] == found.chat.encode_text(text)


def test_a_licence_goes_along_and_the_card_of_the_base_does_not(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "licensed"
    folder.mkdir()
    for path in base.iterdir():
        (folder / path.name).symlink_to(path)
    for name in ("LICENSE", "README.md", "pytorch_model.bin", "state.json"):
        (folder / name).write_text("words", encoding="utf-8")
    wrote("merged", tmp_path / "out", source(folder))
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "LICENSE", "config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json",
        "chat_template.jinja", "generation_config.json"}


# ---- forms ----

def test_merged_is_what_peft_merges_in_the_numbers_that_were_asked_for(base: Path, tmp_path: Path) -> None:
    folder = adapter(base, tmp_path / "adapter")
    wrote("merged", tmp_path / "out", source(base, folder), export_dtype="bf16", export_size=1e-4)
    assert len(list((tmp_path / "out").glob("model-*.safetensors"))) > 1
    reference = theirs(base, [folder]).to(torch.bfloat16)
    assert not differences(load(tmp_path / "out", torch.bfloat16), reference)


def test_an_adapter_leaves_without_a_path_of_this_machine(base: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    folder = adapter(base, tmp_path / "adapter", use_dora=True, modules_to_save=["norm"])
    wrote("adapter", tmp_path / "out", source(base, folder, base_name=str(base)))
    config = (tmp_path / "out" / "adapter_config.json").read_text()
    assert json.loads(config)["base_model_name_or_path"] == "org/tiny" and str(tmp_path) not in config
    ours, reference = (PeftModel.from_pretrained(load(base), one).eval() for one in (tmp_path / "out", folder))
    assert torch.equal(ours(IDS).logits, reference(IDS).logits)


def test_adapters_become_one_that_adds_the_same(base: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    given = [adapter(base, tmp_path / "one", 1), adapter(base, tmp_path / "two", 2, r=2, target_modules=["q_proj"])]
    found = source(base, given[0], (given[1], 0.5))
    wrote("adapter", tmp_path / "out", found)
    wrote("merged", tmp_path / "merged", found)
    joined = PeftModel.from_pretrained(load(base), tmp_path / "out").eval()
    assert torch.allclose(joined(IDS).logits, load(tmp_path / "merged")(IDS).logits, atol=1e-5)
    mixed = source(base, given[0], adapter(base, tmp_path / "dora", 3, use_dora=True))
    problems = exporter("adapter").refuse(mixed, SimpleNamespace(export_dtype="auto"))
    assert [one.code for one in problems] == ["export_adapters_mixed"]


def test_an_adapter_can_be_halved(base: Path, tmp_path: Path) -> None:
    from peft import PeftModel

    folder = adapter(base, tmp_path / "adapter")
    wrote("adapter", tmp_path / "out", source(base, folder), export_dtype="bf16")
    files = [path / "adapter_model.safetensors" for path in (folder, tmp_path / "out")]
    assert files[1].stat().st_size < 0.7 * files[0].stat().st_size
    ours, reference = (PeftModel.from_pretrained(load(base), one).eval() for one in (tmp_path / "out", folder))
    assert 0 < (ours(IDS).logits - reference(IDS).logits).abs().max() < 0.1


def test_a_full_checkpoint_leaves_without_the_trainers_files(base: Path, tmp_path: Path) -> None:
    folder = tmp_path / "step-8"
    (folder / "trainer").mkdir(parents=True)
    for path in base.iterdir():
        (folder / path.name).symlink_to(path)
    for name in ("complete", "state.json", "trainer/optimizer.pt"):
        (folder / name).write_text("{}")
    wrote("full", tmp_path / "out", source(folder), export_dtype="fp16")
    assert not {"complete", "state.json", "trainer"} & {path.name for path in (tmp_path / "out").iterdir()}
    assert not differences(load(tmp_path / "out", torch.float16), load(base).half())


# ---- prefix ----

def learned(base: Path, folder: Path, projection: bool) -> tuple[Source, torch.Tensor]:
    """A prefix that training could have made, and the logits that the studio's model has behind it."""
    from transformers.cache_utils import DynamicCache

    from studio.engine import prefix

    model = load(base)
    tuned = prefix.tuned(model, 5, projection, 0, str(base))
    torch.manual_seed(3)
    for p in tuned.moving.values():
        p.data.add_(torch.randn_like(p) * 0.1)
    folder.mkdir()
    tuned.save(folder)
    cache = DynamicCache()
    for layer, (keys, values) in enumerate(tuned.prefix.encoder().detach()):
        cache.update(keys[None], values[None], layer)
    count = IDS.shape[1]
    with torch.no_grad():
        logits = model(input_ids=IDS, past_key_values=cache, use_cache=True, position_ids=torch.arange(count)[None],
                       attention_mask=torch.ones(1, 5 + count, dtype=torch.long)).logits
    return Source("tuned", base, base.name, (Part("tuned", folder, PREFIX),)), logits


@pytest.mark.parametrize(("family", "projection"), [("llama", False), ("qwen2", True), ("qwen3", False),
                                                    ("mistral", False), ("gemma", False), ("llama3", False),
                                                    ("linear", False)])
def test_peft_does_with_the_prefix_what_the_studio_does(family: str, projection: bool, tmp_path: Path) -> None:
    from peft import PeftModel

    more = {"num_key_value_heads": 2, "rope_parameters": {"rope_theta": 5000.0, "rope_type": "default"}}
    more |= {"head_dim": 8} if family in ("qwen3", "gemma") else {}
    if family in ("llama3", "linear"):
        more["rope_parameters"] |= {"rope_type": family, "factor": 4.0} | (
            {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
            if family == "llama3" else {})
    base = Path(make_model(tmp_path / "base", {"llama3": "llama", "linear": "llama"}.get(family, family), **more))
    found, logits = learned(base, tmp_path / "prefix", projection)
    made = wrote("prefix", tmp_path / "out", found)
    assert "peft" in exporter("prefix").commands(made) and not made.said
    theirs_ = PeftModel.from_pretrained(load(base), tmp_path / "out" / "peft").eval()
    with torch.no_grad():
        assert torch.allclose(theirs_(IDS).logits, logits, atol=2e-5)
        assert (load(base)(IDS).logits - logits).abs().max() > 0.01


def test_a_prefix_is_read_again_as_it_was(base: Path, tmp_path: Path) -> None:
    from studio.engine import prefix

    found, _ = learned(base, tmp_path / "prefix", True)
    wrote("prefix", tmp_path / "out", found)
    one, other = (prefix.tuned(load(base), 5, True, seed, "") for seed in (1, 2))
    one.load(tmp_path / "out")
    other.load(tmp_path / "prefix")
    assert torch.equal(one.prefix.encoder(), other.prefix.encoder())
    assert str(tmp_path) not in (tmp_path / "out" / "prefix_config.json").read_text()


def test_where_positions_are_learned_peft_gets_no_prefix_and_that_is_said(tmp_path: Path) -> None:
    base = Path(make_model(tmp_path / "base", "gpt2", n_embd=32, n_head=4, n_layer=2))
    found, _ = learned(base, tmp_path / "prefix", False)
    made = wrote("prefix", tmp_path / "out", found)
    assert made.said == [("prefix_not_peft", {})] and not (tmp_path / "out" / "peft").exists()


# ---- what every form holds to ----

def test_every_form_is_looked_at_without_torch(base: Path) -> None:
    program = ("import sys\nsys.modules['torch'] = None\nfrom studio.plugins import kinds\n"
               "from studio.plugins.exporters import exporter\nfrom studio.exports import speech, weights\n"
               "print(*[exporter(name).__doc__ and name for name in kinds('exporters')])")
    done = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "PYTHONPATH": str(PROJECT)})
    assert done.returncode == 0, done.stderr
    assert {"merged", "adapter", "full", "prefix"} <= set(done.stdout.split()) == set(kinds("exporters"))


@pytest.mark.parametrize("form", ["merged", "adapter"])
def test_an_adapter_of_another_model_is_a_problem_beside_the_model(form: str, base: Path, tmp_path: Path) -> None:
    other = Path(make_model(tmp_path / "other", "llama", hidden_size=48))
    found = source(base, adapter(other, tmp_path / "adapter"))
    problems = exporter(form).refuse(found, SimpleNamespace(export_dtype="auto"))
    assert [(one.code, one.field) for one in problems] == [("adapter_mismatch", "model_name_or_path")]


@pytest.mark.parametrize("form", ["merged", "adapter"])
def test_the_size_that_is_said_before_holds(form: str, base: Path, tmp_path: Path) -> None:
    found = source(base, adapter(base, tmp_path / "adapter"))
    made = wrote(form, tmp_path / "out", found)
    real = sum(path.stat().st_size for path in (tmp_path / "out").iterdir())
    assert real <= exporter(form).size(found, made.spec) <= real + (17 << 20)


@pytest.mark.parametrize("name", ["stories3M", "cardputer-chat-3M", "stories260K", "zh-poem-750K"])
def test_a_model_of_the_world_is_the_same_afterwards(name: str, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    folder = SHARED_MODELS / name
    if not folder.is_dir():
        pytest.skip("needs the shared models")
    kept = adapter(folder, tmp_path / "adapter", use_rslora=True)
    found = replace(source(folder, kept), template="chatml" if name != "cardputer-chat-3M" else "own")
    try:
        wrote("merged", tmp_path / "out", found)
    except InputError as error:
        assert error.code == "eos_missing"
        pytest.skip("a model without an end token")
    dtype = load(tmp_path / "out", "auto").dtype
    assert not differences(load(tmp_path / "out", dtype), theirs(folder, [kept], dtype))
    before, after = AutoTokenizer.from_pretrained(folder), AutoTokenizer.from_pretrained(tmp_path / "out")
    text = "Once upon a time, 小猫 said: 12 + 30 = 42!"
    assert before(text)["input_ids"] == after(text)["input_ids"]


def test_an_adapter_from_elsewhere_speaks_with_the_tokenizer_that_it_brings(base: Path, tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_tokens(["<new>"], special_tokens=True)
    tokenizer.chat_template = "{% for m in messages %}<new>{{ m['content'] }}{{ eos_token }}{% endfor %}"
    model = load(base)
    model.resize_token_embeddings(len(tokenizer))
    tuned = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj"], task_type="CAUSAL_LM",
                                             modules_to_save=["embed_tokens", "lm_head"]))
    tuned.save_pretrained(tmp_path / "adapter")
    tokenizer.save_pretrained(tmp_path / "adapter")
    wrote("merged", tmp_path / "out", source(base, tmp_path / "adapter"))
    after = AutoTokenizer.from_pretrained(tmp_path / "out")
    new = after.convert_tokens_to_ids("<new>")
    assert after.apply_chat_template(TALK[:1], return_dict=False)[0] == new == len(tokenizer) - 1
    assert load(tmp_path / "out").get_input_embeddings().weight.shape[0] == len(tokenizer)


def test_a_merge_says_how_far_it_rounded(base: Path, tmp_path: Path) -> None:
    found = source(base, adapter(base, tmp_path / "adapter"))
    said = {dtype: wrote("merged", tmp_path / dtype / "out", found, export_dtype=dtype).notes()["merge"]
            for dtype in ("fp32", "bf16")}
    assert said["fp32"]["largest_rounding"] == 0 and 1e-5 < said["bf16"]["largest_rounding"] < 1e-2
    assert said["bf16"]["merged"] == 14 and said["bf16"]["bit_equal"]
