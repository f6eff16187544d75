"""Model folders looked at: good ones, and every way in which one can be bad."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import pytest

from studio.data.model import inspect, local_models, locate
from studio.errors import InputError
from studio.texts.errors import of_error
from studio.workspace import PROJECT, Workspace
from tests.data.replay import SHARED

CONFIG = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "num_hidden_layers": 1, "hidden_size": 4,
          "vocab_size": 8, "max_position_embeddings": 16, "tie_word_embeddings": True}


def weights(path: Path, dtype: str = "F32", cut: int = 0, shape: tuple[int, ...] = (8, 4), extra: bytes = b"") -> None:
    size = {"F32": 4, "BF16": 2, "F16": 2, "U8": 1, "I64": 8}[dtype]
    for side in shape:
        size *= side
    header = json.dumps({"embed": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    content = struct.pack("<Q", len(header)) + header + bytes(size) + extra
    path.write_bytes(content[:len(content) - cut])


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    weights(tmp_path / "model.safetensors")
    return tmp_path


def refused(folder: Path) -> InputError:
    with pytest.raises(InputError) as error:
        inspect(folder)
    for lang in ("en", "zh"):
        assert "{" not in of_error(lang, error.value)
    return error.value


def test_the_facts_of_a_folder(folder):
    facts = inspect(folder)
    assert (facts.model_type, facts.architecture, facts.parameters) == ("llama", "LlamaForCausalLM", 32)
    assert (facts.layers, facts.hidden, facts.context, facts.vocab, facts.tied) == (1, 4, 16, 8, True)
    assert facts.tensors == {"embed": ((8, 4), "F32")} and facts.bytes == (folder / "model.safetensors").stat().st_size


def test_shards_are_one_model(folder):
    (folder / "model.safetensors").unlink()
    for name, key in (("a.safetensors", "one"), ("b.safetensors", "two")):
        weights(folder / name)
        (folder / name).write_bytes((folder / name).read_bytes().replace(b"embed", key.ljust(5, "_").encode()))
    (folder / "model.safetensors.index.json").write_text(json.dumps(
        {"weight_map": {"one": "a.safetensors", "two": "b.safetensors"}}), encoding="utf-8")
    assert inspect(folder).parameters == 64
    (folder / "b.safetensors").unlink()
    assert refused(folder).code == "model_shard_missing"


def test_a_missing_an_empty_and_a_wrong_folder(tmp_path):
    assert refused(tmp_path / "nowhere").code == "model_missing"
    assert refused(tmp_path).code == "model_empty"
    (tmp_path / "notes.txt").write_text("x", encoding="utf-8")
    assert refused(tmp_path).code == "model_no_config"


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"model_type": 3}'])
def test_a_config_that_is_none(folder, text):
    (folder / "config.json").write_text(text, encoding="utf-8")
    assert refused(folder).code == "model_config_broken"


def test_no_weights_and_only_pickles(folder):
    (folder / "model.safetensors").unlink()
    assert refused(folder).code == "model_no_weights"
    (folder / "pytorch_model.bin").write_bytes(b"x")
    error = refused(folder)
    assert error.code == "model_only_pickles" and "pytorch_model.bin" in of_error("en", error)


@pytest.mark.parametrize("cut", [1, 100, 127])
def test_truncated_weights_are_named_with_both_sizes(folder, cut):
    weights(folder / "model.safetensors", cut=cut)
    error = refused(folder)
    assert error.code == "model_truncated" and error.values["found"] < error.values["value"]


@pytest.mark.parametrize("content", [struct.pack("<Q", 4) + b"oops", struct.pack("<Q", 2) + b"[]",
                                     struct.pack("<Q", 13) + b'{"a": {"b":1}}'])
def test_weights_that_are_not_safetensors(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    assert refused(folder).code in ("model_weights_broken", "model_truncated")


def test_numbers_that_cannot_be_trained(folder):
    weights(folder / "model.safetensors", dtype="U8")
    assert refused(folder).code == "model_dtype"
    weights(folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({**CONFIG, "dtype": "float8_e4m3fn"}), encoding="utf-8")
    assert refused(folder).code == "model_dtype"


@pytest.mark.parametrize("dtype", ["F32", "BF16", "F16"])
def test_numbers_that_can_be_trained(folder, dtype):
    weights(folder / "model.safetensors", dtype=dtype)
    assert inspect(folder).parameters == 32


def test_names_become_folders(folder, tmp_path, monkeypatch):
    workspace = Workspace(tmp_path / "root")
    for name in ("mine", "Qwen--Small"):
        (workspace.models / name).mkdir(parents=True)
        (workspace.models / name / "config.json").write_text("{}", encoding="utf-8")
    assert local_models(workspace) == ["starter", "Qwen--Small", "mine"]
    assert locate("starter", workspace) == workspace.starter
    assert locate(str(folder), workspace) == folder.resolve()
    assert locate("mine", workspace) == workspace.models / "mine"
    assert locate("Qwen/Small", workspace) == workspace.models / "Qwen--Small"
    assert locate("Qwen/Small", workspace, revision="v2") is None
    assert locate("Qwen/Qwen2.5-0.5B", workspace) is None
    for name in ("nowhere", "./a/b", "/no/where", "a/b/c", "../x"):
        with pytest.raises(InputError) as error:
            locate(name, workspace)
        assert error.value.code == "model_missing"


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize(("name", "parameters"), [("stories3M", 3_148_224), ("cardputer-chat-3M", 3_410_560),
                                                  ("stories260K", 260_032), ("zh-poem-750K", 750_624)])
def test_real_models_have_the_size_they_are_known_for(name, parameters):
    assert inspect(SHARED / "models" / name).parameters == parameters


def test_the_starter_is_a_model():
    if not (Workspace(PROJECT).starter / "config.json").is_file():
        pytest.skip("data/starter is not made yet")
    facts = inspect(Workspace(PROJECT).starter)
    assert 500_000 < facts.parameters < 2_000_000 and facts.vocab and facts.layers
