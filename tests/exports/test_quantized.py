"""Quantized exports: byte for byte what transformers itself saves, and loaded on a CPU they answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.errors import StopAsked
from studio.exports.source import Source
from studio.plugins.exporters import quantized as form
from studio.workspace import PROJECT, Workspace
from tests.engine.workbench import make_model
from tests.exports.holding import Desk, a_source, spec

STARTER = Workspace(PROJECT).starter
pytestmark = pytest.mark.filterwarnings("ignore")


def theirs(folder: Path, about: dict[str, Any], into: Path) -> dict[str, Any]:
    """The tensors that transformers saves of a model that it quantized while loading, by the same settings."""
    from safetensors.torch import load_file
    from transformers import AutoModelForCausalLM, BitsAndBytesConfig

    said = BitsAndBytesConfig.from_dict(dict(about))
    model = AutoModelForCausalLM.from_pretrained(folder, quantization_config=said, device_map={"": "cpu"})
    model.save_pretrained(into)
    return {name: one for file in into.glob("*.safetensors") for name, one in load_file(file).items()}


def ours(folder: Path, bits: int, root: Path, **draft: Any) -> tuple[dict[str, Any], Path]:
    from safetensors.torch import load_file

    desk = Desk(root, Source("small", folder, "small"), quantized_bits=bits, **draft)
    form.write(desk.work)
    files = sorted(desk.work.into.glob("*.safetensors"))
    return {name: one for file in files for name, one in load_file(file).items()}, desk.work.into


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_it_is_byte_for_byte_what_transformers_saves(kind: str, bits: int, tmp_path: Path) -> None:
    import torch

    folder = STARTER if kind == "llama" else Path(make_model(tmp_path / "model", kind, n_embd=64, n_head=4, n_layer=2,
                                                             n_positions=128))
    found, into = ours(folder, bits, tmp_path)
    about = json.loads((into / "config.json").read_text())["quantization_config"]
    assert about["load_in_4bit"] is (bits == 4)
    wanted = theirs(folder, about, tmp_path / "theirs")
    wanted, found = ({name.removeprefix("transformer."): one for name, one in those.items()}
                     for those in (wanted, found))
    assert found.keys() == wanted.keys()
    assert not [name for name, one in wanted.items()
                if one.dtype != found[name].dtype or not torch.equal(one, found[name])]
    assert any(one.dtype == (torch.uint8 if bits == 4 else torch.int8) and one.numel() > 500 for one in found.values())


@pytest.mark.parametrize("bits", [4, 8])
def test_it_loads_on_a_cpu_and_answers_as_the_weights_that_were_rounded(bits: int, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM

    _, into = ours(STARTER, bits, tmp_path)
    small = AutoModelForCausalLM.from_pretrained(into, device_map={"": "cpu"}, dtype=torch.float32).eval()
    whole = AutoModelForCausalLM.from_pretrained(STARTER, dtype=torch.float32).eval()
    row = torch.arange(20, 60)[None]
    with torch.inference_mode():
        apart = (small(row).logits - whole(row).logits).abs().mean() / whole(row).logits.abs().mean()
    assert 0 < apart < (0.2 if bits == 4 else 0.05)


def test_several_files_hold_the_same_as_one(tmp_path: Path) -> None:
    import torch

    one, _ = ours(STARTER, 4, tmp_path / "one")
    several, into = ours(STARTER, 4, tmp_path / "several", export_size=0.0004)
    files = sorted(path.name for path in into.glob("*.safetensors"))
    assert len(files) > 2
    assert files[0] == f"model-00001-of-{len(files):05d}.safetensors"
    index = json.loads((into / "model.safetensors.index.json").read_text())
    assert index["weight_map"].keys() == one.keys() == several.keys()
    assert all(torch.equal(one[name], several[name]) for name in one)
    assert not [path.name for path in into.iterdir() if path.name.startswith(".")]


def test_the_size_said_before_is_about_that_of_the_files(tmp_path: Path) -> None:
    for bits in (4, 8):
        _, into = ours(STARTER, bits, tmp_path / str(bits))
        said = form.size(a_source(), spec(quantized_bits=bits))
        real = sum(path.stat().st_size for path in into.iterdir())
        assert 0.9 < said / real < 1.1


LIBRARY = """
import json, pathlib
class QuantizeConfig:
    def __init__(self, **said): self.said = said
class GPTQModel:
    @classmethod
    def load(cls, folder, how, device):
        made = cls(); made.folder, made.how = pathlib.Path(folder), how.said; return made
    def quantize(self, rows, batch_size):
        self.rows = rows
        if not rows: raise RuntimeError("nothing to calibrate on")
    def save(self, into):
        into = pathlib.Path(into); into.mkdir()
        (into / "model.safetensors").write_bytes((self.folder / "model.safetensors").read_bytes())
        (into / "config.json").write_text(json.dumps({"quantization_config": self.how, "rows": self.rows}))
        (into / "quant_log.csv").write_text("")
"""


def test_gptq_is_done_by_its_library_with_rows_of_the_dataset_that_is_named(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "gptqmodel.py").write_text(LIBRARY)
    (tmp_path / "data").mkdir()
    rows = [{"instruction": f"How do you write {number}?", "output": "in words"} for number in range(30)]
    (tmp_path / "data" / "mine.json").write_text(json.dumps(rows))
    (tmp_path / "data" / "dataset_info.json").write_text(json.dumps({"mine": {"file_name": "mine.json"}}))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'lib'}:{PROJECT}")
    desk = Desk(tmp_path, a_source(), quantized_method="gptq", quantized_bits=4, quantized_rows=12, acceptance_rows=4,
                dataset=["mine"])
    form.write(desk.work)
    told = json.loads((desk.work.into / "config.json").read_text())
    assert told["quantization_config"] == {"bits": 4, "group_size": -1, "quant_method": "gptq", "format": "gptq",
                                           "act_group_aware": False}
    assert len(told["rows"]) == 12
    texts = [a_source().chat(desk.work.workspace).decode(row["input_ids"]) for row in told["rows"]]
    assert all("How do you write" in text for text in texts)
    assert {path.name for path in desk.work.into.iterdir()} >= {"model.safetensors", "chat_template.jinja"}
    assert not [path.name for path in desk.work.into.iterdir() if path.name.startswith(".")]


def test_gptq_and_awq_without_their_library_are_refused_by_name() -> None:
    codes = [problem.code for problem in form.refuse(a_source(), spec(quantized_method="awq", quantized_bits=8))]
    assert codes[-1] == "quantized_awq_bits"
    assert ("quantized_library" in codes) is not form._calibrated.is_installed()


def test_a_stop_comes_through_between_two_tensors(tmp_path: Path) -> None:
    desk = Desk(tmp_path, a_source(), quantized_bits=4)
    desk.stop_after = 12
    with pytest.raises(StopAsked):
        form.write(desk.work)
    assert not list(desk.work.into.glob("*.safetensors"))


def test_a_base_that_is_quantized_already_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path, a_source(), quantized_bits=8)
    form.write(desk.work)
    source = Source("small", desk.work.into, "small")
    assert [problem.code for problem in form.refuse(source, spec(quantized_bits=4))] == ["quantized_twice"]
    assert form.refuse(a_source(), spec(quantized_bits=4)) == []
