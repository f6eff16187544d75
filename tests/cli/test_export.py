"""`export`, `convert` and `install` as a user types them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.cli.client import Client

LORA_RANK, LORA_WIDTH = 2, 64


def test_everything_that_is_wrong_is_told_at_once_and_nothing_is_written(client: Client) -> None:
    done = client("export", "nobody", "--to", "nothing", "export_dir=/elsewhere", "lora_rank=8", "--name", "../x")
    assert done.returncode == 2
    for word in ("nobody", "nothing", "/elsewhere", "lora_rank", "../x"):
        assert word in done.stderr, done.stderr
    for words in (("export",), ("export", "starter", "--step", "3"), ("export", "starter", "--step", "x"),
                  ("export", "starter", "second")):
        refused = client(*words)
        assert refused.returncode == 2 and len(refused.stderr.splitlines()) == 1, refused.stderr
    assert not list((client.root / "saves").glob("*"))


def test_what_it_takes_is_told_before(client: Client) -> None:
    done = client("export", "starter", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["bytes"] > 1_000_000 and found["free_bytes"] > found["bytes"] and found["memory_bytes"] > 0
    assert "free on the disk" in client("export", "starter", "--dry-run").stdout
    assert not list((client.root / "saves").glob("*"))


def test_a_recipe_of_llama_factory_is_taken(client: Client, tmp_path: Path) -> None:
    (tmp_path / "merge.yaml").write_text(
        "model_name_or_path: starter\ntemplate: default\nfinetuning_type: lora\ntrust_remote_code: true\n"
        "export_dir: models/merged\nexport_size: 5\nexport_device: cpu\nexport_legacy_format: false\n")
    done = client("export", str(tmp_path / "merge.yaml"), "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["form"] == "merged"


def test_pickles_become_safetensors_and_an_evil_one_does_nothing(client: Client, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    glm, evil = tmp_path / "glm", tmp_path / "evil"
    for folder in (glm, evil):
        folder.mkdir()
    stem = "base_model.model.transformer.layers.0.attention.query_key_value"
    below, top = torch.randn(LORA_RANK, LORA_WIDTH), torch.randn(LORA_WIDTH, LORA_RANK)
    torch.save({f"{stem}.lora_A.default.weight": below, f"{stem}.lora_B.default.weight": top}, glm / "chatglm-lora.pt")
    torch.save({"lr": 1.0}, glm / "training_args.bin")
    torch.save({"weight": torch.ones(2), "more": Evil(str(tmp_path / "touched"))}, evil / "adapter_model.bin")

    done = client("convert", str(glm), "-o", str(tmp_path / "named"))
    assert done.returncode == 0 and "lora_alpha" in done.stdout and "training_args.bin" in done.stdout, done.stderr
    settings = json.loads((tmp_path / "named" / "adapter_config.json").read_text())
    assert (settings["r"], settings["lora_alpha"], settings["target_modules"]) == (2, 32, ["query_key_value"])
    assert torch.equal(read(tmp_path / "named" / "adapter_model.safetensors")[f"{stem}.lora_B.weight"], top)

    done = client("convert", str(evil))
    assert done.returncode == 2 and "system" in done.stderr and not (tmp_path / "touched").exists()
    assert not (tmp_path / "evil-safetensors").exists() and not list(tmp_path.glob(".evil*"))
    assert "exists already" in client("convert", str(glm), "-o", str(tmp_path / "named")).stderr
    assert client("convert", str(tmp_path / "named")).returncode == 2


class Evil:
    """What a pickle may hold: a call."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def read(path: Path) -> dict[str, object]:
    from safetensors.torch import load_file

    return dict(load_file(path))


def test_optional_parts_are_listed_and_an_unknown_one_is_refused(client: Client) -> None:
    done = client("install", "--json")
    assert done.returncode == 0, done.stderr
    found = {one["name"]: one for one in json.loads(done.stdout)}
    assert set(found) >= {"llama-cpp", "onnx", "harness"}
    assert all("==" in pin for one in found.values() for pin in one["pins"])
    refused = client("install", "nothing")
    assert refused.returncode == 2 and "llama-cpp" in refused.stderr
