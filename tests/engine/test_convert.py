"""Pickles of older systems as safetensors: the same numbers under today's names, and nothing but numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from studio.engine import convert, convert_names

STEM = "base_model.model.transformer.layers.0.attention.query_key_value"


@pytest.mark.parametrize("zipped", [True, False])
def test_every_number_comes_through(zipped: bool, tmp_path: Path) -> None:
    base = torch.randn(4, 6)
    held = {"a": base, "b": base.t(), "half": base.bfloat16(), "one": torch.tensor(3), "none": torch.empty(0, 4),
            "flags": base > 0, "words": "left out"}
    torch.save({"state_dict": held}, tmp_path / "x.bin", _use_new_zipfile_serialization=zipped)
    told = convert.convert(tmp_path / "x.bin", tmp_path / "x.safetensors")
    found = load_file(tmp_path / "x.safetensors")
    assert set(found) == set(held) - {"words"} and told["tensors"] == 6
    for name, value in found.items():
        assert value.dtype == held[name].dtype and torch.equal(value, held[name]), name


def test_what_is_no_tensor_is_never_made(tmp_path: Path) -> None:
    class Call:
        def __reduce__(self) -> Any:
            return print, ("here",)

    torch.save({"a": torch.ones(1), "b": Call()}, tmp_path / "x.bin")
    with pytest.raises(Exception, match="GLOBAL") as caught:
        convert.convert(tmp_path / "x.bin", tmp_path / "y.safetensors")
    assert convert._reason(caught.value) == {"code": "pickle_asks", "reason": "print"}
    torch.save({"lr": 1.0}, tmp_path / "z.bin")
    with pytest.raises(ValueError, match="empty"):
        convert.convert(tmp_path / "z.bin", tmp_path / "z.safetensors")
    (tmp_path / "w.bin").write_bytes(b"no pickle at all")
    with pytest.raises(Exception) as broken:
        convert.convert(tmp_path / "w.bin", tmp_path / "w.safetensors")
    assert convert._reason(broken.value)["code"] == "pickle_broken"


def test_names_without_the_adapters_own_and_its_root_are_todays() -> None:
    found, told = convert_names.today({f"{STEM.removeprefix('base_model.model.')}.lora_A.default.weight":
                                       torch.ones(2, 6), f"{STEM}.lora_B.weight": torch.ones(18, 2)})
    assert set(found) == {f"{STEM}.lora_A.weight", f"{STEM}.lora_B.weight"}
    assert told == {"rank": 2, "modules": ["query_key_value"], "widened": 0}
    whole = {"lm_head.weight": torch.ones(2)}
    assert convert_names.today(whole) == (whole, {})


def test_a_lora_on_two_of_three_fused_parts_adds_the_same_as_one_lora(tmp_path: Path) -> None:
    """PEFT before 0.3 changed queries and values of a fused projection by one grouped convolution."""
    rank, width, each = 2, 6, 5
    below, top = torch.randn(2 * rank, width), torch.randn(2 * each, rank, 1)
    rows = torch.randn(7, width)
    between = (rows @ below.t()).t().unsqueeze(0)
    grouped = torch.nn.functional.conv1d(between, top, groups=2)[0].t()
    wanted = torch.zeros(7, 3 * each)
    wanted[:, :each], wanted[:, 2 * each:] = grouped[:, :each], grouped[:, each:]
    found, told = convert_names.today({f"{STEM}.lora_A.weight": below, f"{STEM}.lora_B.weight": top})
    assert (told["rank"], told["widened"]) == (2 * rank, 2)
    added = rows @ found[f"{STEM}.lora_A.weight"].t() @ found[f"{STEM}.lora_B.weight"].t()
    assert torch.allclose(added, wanted, atol=1e-5)


def test_shards_and_settings_get_todays_names(tmp_path: Path) -> None:
    from studio.exports import convert as folders

    for number in (1, 2):
        torch.save({f"w{number}": torch.ones(number)}, tmp_path / f"pytorch_model-0000{number}-of-00002.bin")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "modeling_theirs.py").write_text("raise SystemExit")
    index = {"weight_map": {f"w{number}": f"pytorch_model-0000{number}-of-00002.bin" for number in (1, 2)}}
    (tmp_path / "pytorch_model.bin.index.json").write_text(json.dumps(index))
    done = folders.convert(tmp_path, tmp_path.with_name("made"))
    assert sorted(path.name for path in done.path.iterdir()) == [
        "config.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors",
        "model.safetensors.index.json"]
    named = json.loads((done.path / "model.safetensors.index.json").read_text())["weight_map"]
    assert named == {f"w{number}": f"model-0000{number}-of-00002.safetensors" for number in (1, 2)}
    assert done.left == ("modeling_theirs.py",)
