"""The folder for a server: what the compose file names is there, and the line without docker says the same."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from studio.exports.source import Part
from studio.plugins.exporters import server as form
from tests.exports.holding import Desk, a_form, a_source, spec

CONFIG = json.dumps({"model_type": "llama", "max_position_embeddings": 512}).encode()
MODEL = {"config.json": CONFIG, "model.safetensors": b"w", "chat_template.jinja": b"{{ messages }}"}
ADAPTER = {"adapter_config.json": json.dumps({"r": 12, "rank_pattern": {"q_proj": 40}}).encode(),
           "adapter_model.safetensors": b"w", "chat_template.jinja": b"{{ messages }}"}
GGUF = {"numbers-Q8_0.gguf": b"GGUF"}


def made(root: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, bytes], **draft: Any) -> tuple[Desk, Any]:
    """(the desk, the one service of the compose file)."""
    monkeypatch.setattr(form, "exporter", lambda name: a_form(files))
    desk = Desk(root, a_source(name="numbers/step-20", base_name=draft.pop("base", "starter")), **draft)
    form.write(desk.work)
    return desk, yaml.safe_load((desk.work.into / form.COMPOSE).read_text(encoding="utf-8"))["services"]["model"]


@pytest.mark.parametrize(("held", "files"), [("merged", MODEL), ("gguf", GGUF)])
def test_every_path_of_the_command_is_in_the_folder(
        held: str, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, service = made(tmp_path, monkeypatch, files, server_form=held)
    paths = [word for word in service["command"] if word.startswith("/model")]
    assert paths
    assert all((desk.work.into / path.removeprefix("/model").lstrip("/")).exists() for path in paths)
    assert service["volumes"] == [".:/model:ro"]


def test_vllm_gets_the_template_of_training_the_ends_and_the_length_of_the_model(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, service = made(tmp_path, monkeypatch, MODEL, server_form="merged")
    said = dict(zip(service["command"][::2], service["command"][1::2], strict=True))
    assert said == {"--model": "/model", "--served-model-name": "numbers-step-20", "--generation-config": "/model",
                    "--chat-template": "/model/chat_template.jinja", "--max-model-len": "512", "--host": "0.0.0.0",
                    "--port": "8000"}
    assert service["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]


def test_an_adapter_is_put_on_a_base_that_the_server_can_fetch_with_room_for_its_largest_rank(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, service = made(tmp_path, monkeypatch, ADAPTER, server_form="adapter", base="Qwen/Qwen2.5-0.5B")
    line = " ".join(service["command"])
    assert line.startswith("--model Qwen/Qwen2.5-0.5B --tokenizer /model --enable-lora")
    assert "--lora-modules numbers-step-20=/model" in line
    assert "--max-lora-rank 64" in line
    assert "HF_HUB_OFFLINE=1" not in service["environment"]


def test_llama_cpp_serves_gguf_and_asks_for_no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, service = made(tmp_path, monkeypatch, GGUF, server_form="gguf")
    assert "llama.cpp" in service["image"]
    assert "deploy" not in service
    assert "--jinja" in service["command"]


@pytest.mark.parametrize(("held", "files", "program"), [("merged", MODEL, "vllm"), ("gguf", GGUF, "llama.cpp")])
def test_the_line_without_docker_says_what_the_compose_file_says(
        held: str, files: dict[str, bytes], program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, service = made(tmp_path, monkeypatch, files, server_form=held, server_port=8123)
    desk.finish()
    [line] = form.commands(desk.work)[program]
    words = shlex.split(line.replace(str(desk.work.target), "/model"))
    assert words[-4:] == ["--host", "127.0.0.1", "--port", "8123"]
    inner = service["command"][:-4]
    assert words[2 if program == "vllm" else 1:-4] == (inner[1:] if program == "vllm" else inner)


def test_it_listens_on_its_own_machine_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, service = made(tmp_path, monkeypatch, MODEL, server_form="merged", server_port=8123)
    assert service["ports"] == ["127.0.0.1:8123:8000"]


@pytest.mark.parametrize(("base", "codes"), [("starter", ["server_base_here"]), ("Qwen/Qwen2.5-0.5B", [])])
def test_an_adapter_on_a_folder_of_this_machine_is_refused_for_a_server(
        base: str, codes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "exporter", lambda name: a_form())
    found = form.refuse(a_source(base_name=base), spec(server_form="adapter"))
    assert [problem.code for problem in found] == codes


@pytest.mark.parametrize("more", [{"use_dora": True}, {"modules_to_save": ["lm_head"]}])
def test_an_adapter_that_vllm_cannot_put_on_a_model_is_refused(
        more: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "exporter", lambda name: a_form())
    (tmp_path / "adapter_config.json").write_text(json.dumps({"r": 8} | more))
    source = a_source(base_name="Qwen/Qwen2.5-0.5B", parts=(Part("tuned", tmp_path, "lora"),))
    assert [problem.code for problem in form.refuse(source, spec(server_form="adapter"))] == ["server_adapter_more"]
