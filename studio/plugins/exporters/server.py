"""A folder that serves the model as an OpenAI-like address: it and a docker compose file for vLLM or llama.cpp."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path
from typing import Any

from studio.args.fields import Group, Text, arg
from studio.errors import Problem
from studio.plugins.exporters import _held, exporter

ORDER = 70
TAKES = ("whole", "lora")
HOLDS = ("merged", "full", "adapter", "quantized", "gguf")
COMPOSE = "compose.yaml"
VLLM = "${VLLM_IMAGE:-vllm/vllm-openai:latest}"
LLAMA_CPP = "${LLAMA_CPP_IMAGE:-ghcr.io/ggml-org/llama.cpp:server}"
_INSIDE = "/model"
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


class ServerArguments(Group):
    """What is served, on which port."""

    group = "export"

    server_form: Text = arg("merged", choices=HOLDS, basic=True)
    server_port: int = arg(8000, ge=1, le=65_535)


Arguments = ServerArguments


def inside(spec: Any) -> str:
    """The form that is served."""
    return str(spec.server_form)


def size(source: Any, spec: Any) -> int:
    """The bytes of the form inside; the rest is some lines."""
    return int(exporter(inside(spec)).size(source, spec))


def memory(source: Any, spec: Any) -> int:
    """What the form inside takes."""
    return _held.memory(exporter(inside(spec)), source, spec)


def refuse(source: Any, spec: Any) -> list[Problem]:
    """An adapter whose base no other machine can fetch or that vLLM does not take; what the form inside refuses."""
    found = _held.refuse(exporter(inside(spec)), source, spec)
    if inside(spec) == "adapter" and not found and not _HUB_NAME.fullmatch(_base(source)):
        found.append(Problem("server_base_here", "server_form", {"base": source.base_name}))
    if inside(spec) == "adapter" and any(_is_more(part.folder) for part in source.parts):
        found.append(Problem("server_adapter_more", "server_form", {}))
    return found


def write(work: Any) -> None:
    """Write the form inside and beside it the compose file."""
    import yaml

    _held.write(exporter(inside(work.spec)), work)
    (work.into / COMPOSE).write_text(yaml.safe_dump({"services": {"model": _service(work)}}, sort_keys=False,
                                                    allow_unicode=True, width=100), encoding="utf-8")


def opened(folder: Path) -> Path:
    """Where the form inside lies."""
    return folder


def commands(work: Any) -> dict[str, list[str]]:
    """The exact lines: with docker, without it, and a question to what then listens."""
    address = f"http://127.0.0.1:{work.spec.server_port}/v1"
    asked = json.dumps({"model": name(work), "messages": [{"role": "user", "content": "…"}]}, ensure_ascii=False)
    program = "llama.cpp" if inside(work.spec) == "gguf" else "vllm"
    folder = work.target if work.target.is_dir() else work.into
    line = _arguments(work, folder, shlex.quote(str(work.target)))
    alone = ["llama-server" if program == "llama.cpp" else "vllm serve", *line, "--host 127.0.0.1",
             f"--port {work.spec.server_port}"]
    return {"docker": [f"cd {shlex.quote(str(work.target))}", "docker compose up"], program: [" ".join(alone)],
            "curl": [f"curl {address}/chat/completions -H 'Content-Type: application/json' -d '{asked}'"]}


def name(work: Any) -> str:
    """What the model is called in requests."""
    return _held.named(work.source.name)


def _service(work: Any) -> dict[str, Any]:
    """One service of the compose file; it listens on this machine alone and asks for a key where one is set."""
    with_llama = inside(work.spec) == "gguf"
    port = 8080 if with_llama else 8000
    words = [word for part in _arguments(work, work.into, _INSIDE) for word in part.split(" ", 1)]
    words = words if with_llama else ["--model", *words]
    found: dict[str, Any] = {
        "image": LLAMA_CPP if with_llama else VLLM,
        "command": [*words, "--host", "0.0.0.0", "--port", str(port)],
        "ports": [f"127.0.0.1:{work.spec.server_port}:{port}"],
        "volumes": [f".:{_INSIDE}:ro"],
        "restart": "unless-stopped",
    }
    if with_llama:
        return {**found, "environment": ["LLAMA_API_KEY"]}
    fetches = inside(work.spec) == "adapter"
    own = ["HF_TOKEN", "HF_ENDPOINT"] if fetches else ["HF_HUB_OFFLINE=1"]
    gpu = {"driver": "nvidia", "count": "all", "capabilities": ["gpu"]}
    return {**found, "ipc": "host", "environment": ["VLLM_API_KEY", "VLLM_NO_USAGE_STATS=1", *own],
            "deploy": {"resources": {"reservations": {"devices": [gpu]}}}}


def _arguments(work: Any, folder: Path, seen: str) -> list[str]:
    """What the server is told of the model in `folder`, which it sees as `seen`; for vLLM the model itself first."""
    if inside(work.spec) == "gguf":
        file = next(iter(sorted(folder.glob("*.gguf"))), Path("model.gguf"))
        return [f"--model {seen}/{file.name}", f"--alias {name(work)}", "--jinja"]
    template = [f"--chat-template {seen}/chat_template.jinja"] if (folder / "chat_template.jinja").is_file() else []
    if inside(work.spec) == "adapter":
        rank = next((one for one in _RANKS if one >= _rank(folder)), _RANKS[-1])
        return [_base(work.source), f"--tokenizer {seen}", "--enable-lora", f"--lora-modules {name(work)}={seen}",
                f"--max-lora-rank {rank}", *template]
    return [seen, f"--served-model-name {name(work)}", f"--generation-config {seen}", *template, *_length(folder)]


def _length(folder: Path) -> list[str]:
    """How long a text may be, as the model says."""
    longest = _read(folder / "config.json").get("max_position_embeddings")
    return [f"--max-model-len {longest}"] if isinstance(longest, int) and longest > 0 else []


def _rank(folder: Path) -> int:
    said = _read(folder / "adapter_config.json")
    return max([int(said.get("r") or 8), *map(int, (said.get("rank_pattern") or {}).values())])


def _is_more(folder: Path) -> bool:
    """Whether an adapter is more than low-rank additions, which are all that vLLM puts on a model."""
    said = _read(folder / "adapter_config.json")
    return bool(said.get("use_dora") or said.get("modules_to_save") or said.get("trainable_token_indices"))


def _read(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _base(source: Any) -> str:
    """The name under which others fetch the base of an adapter."""
    from studio.exports.weights import adapter

    return str(adapter.base_name(source))
