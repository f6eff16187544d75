"""vLLM behind the same protocol, where CUDA and vLLM are: its process, its adapters under our names, its own key.

What it serves is fixed at the start: one base model and LoRA checkpoints of it. It is reached on loopback alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from studio.chats import lanes
from studio.chats.lanes import Lane
from studio.data import templates
from studio.engine.server.errors import Refusal
from studio.engine.server.registry import Registry, base_of
from studio.errors import InputError, WorkError
from studio.records import read_json

PROGRAM = "vllm"
_DTYPES = {"auto": "auto", "bf16": "bfloat16", "fp16": "half", "fp32": "float32"}
_RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # those that --max-lora-rank takes
_LOADING_SECONDS = 1800.0
_LEAVE_SECONDS = 10.0


def check() -> None:
    """Raises InputError vllm_missing where it is not installed, vllm_no_cuda where no CUDA card answers."""
    if shutil.which(PROGRAM) is None:
        raise InputError("vllm_missing")
    smi = shutil.which("nvidia-smi")
    try:
        listed = subprocess.run([smi, "-L"], capture_output=True, text=True, timeout=30).stdout if smi else ""
    except (OSError, subprocess.TimeoutExpired):
        listed = ""
    if "GPU" not in listed:
        raise InputError("vllm_no_cuda")


class Vllm:
    """One `vllm serve` and the road to it."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._key = secrets.token_urlsafe(32)
        self._folder = Path(tempfile.mkdtemp(prefix="studio-vllm-"))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = int(free.getsockname()[1])
        self._process: asyncio.subprocess.Process | None = None
        self._client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self._port}", headers={"Authorization": f"Bearer {self._key}"},
            timeout=httpx.Timeout(None, connect=10.0), limits=httpx.Limits(max_connections=None), trust_env=False)

    def command(self) -> list[str]:
        """What is run; raises InputError vllm_kind, vllm_other_base for what vLLM cannot serve at once."""
        asked = self.registry.settings
        base = self.registry.base
        assert base is not None
        adapters = {name: lane for name, lane in self.registry.listed.items() if lane.kind == "lora"}
        for name, lane in self.registry.listed.items():
            if lane.kind == "prefix":
                raise InputError("vllm_kind", name=name)
            if base_of(lane).base != base.base:
                raise InputError("vllm_other_base", name=name, base=base.base_name)
        names = [name for name, lane in self.registry.listed.items() if lane.kind != "lora"]
        command = [PROGRAM, "serve", str(base.base), "--host", "127.0.0.1", "--port", str(self._port),
                   "--served-model-name", *dict.fromkeys([*names, lanes.BASE]), "--dtype", _DTYPES[asked.compute_type],
                   "--max-num-seqs", str(asked.max_lanes)]
        if asked.context:
            command += ["--max-model-len", str(asked.context)]
        if asked.quantization_bit:
            command += ["--quantization", "bitsandbytes"]
        if template := self._template(base):
            command += ["--chat-template", str(template)]
        if adapters:
            command += ["--enable-lora", "--max-loras", str(len(adapters)), "--max-lora-rank", str(_rank(adapters)),
                        "--lora-modules", *(f"{name}={lane.adapter}" for name, lane in adapters.items())]
        return command

    def _template(self, base: Lane) -> Path | None:
        """A file with the chat template, where it is not the model's own."""
        lane = next(iter(self.registry.listed.values()))
        source = templates.chosen(self.registry.settings.template or lane.template, self.registry.workspace).source
        if source is None:
            return None
        path = self._folder / "template.jinja"
        path.write_text(source, encoding="utf-8")
        return path

    async def start(self) -> None:
        """Begin it and wait until it answers; raises WorkError engine_ended when it ends before."""
        environment = {**os.environ, "VLLM_API_KEY": self._key, "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1",
                       "HF_HUB_OFFLINE": "1"}
        self._process = await asyncio.create_subprocess_exec(
            *self.command(), stdin=asyncio.subprocess.DEVNULL, stdout=2, env=environment, start_new_session=True)
        end = time.monotonic() + _LOADING_SECONDS
        while time.monotonic() < end:
            if self._process.returncode is not None:
                raise WorkError("engine_ended")
            with contextlib.suppress(httpx.HTTPError):
                if (await self._client.get("/health", timeout=5.0)).status_code == 200:
                    self.ready.set_result(None)
                    self.registry.beginning = False
                    return
            await asyncio.sleep(0.5)
        raise WorkError("engine_ended")

    def send(self, path: str, raw: bytes) -> contextlib.AbstractAsyncContextManager[httpx.Response]:
        """A request to it; raises Refusal model_loading while it is not ready."""
        if not self.ready.done():
            raise Refusal("model_loading", 503, "model", 10, name=self.registry.base.name if self.registry.base else "")
        return self._client.stream("POST", path, content=raw, headers={"Content-Type": "application/json"})

    async def metrics(self) -> str:
        """Its own figures, in Prometheus's form."""
        with contextlib.suppress(httpx.HTTPError):
            return (await self._client.get("/metrics", timeout=5.0)).text
        return ""

    async def end(self) -> None:
        """End it with all its processes."""
        await self._client.aclose()
        process = self._process
        for number in (signal.SIGTERM, signal.SIGKILL):
            if process is None or process.returncode is not None:
                break
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), _LEAVE_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)


def _rank(adapters: Mapping[str, Lane]) -> int:
    """The rank that all adapters fit into, as vLLM wants it."""
    said = [(read_json(lane.folder / lanes.LORA) or {}).get("r") for lane in adapters.values()]
    most = max([int(one) for one in said if isinstance(one, int)], default=_RANKS[0])
    return next((rank for rank in _RANKS if rank >= most), _RANKS[-1])


async def lines(reply: httpx.Response) -> AsyncIterator[bytes]:
    """A streamed reply as it comes; raises WorkError engine_ended when it breaks off."""
    try:
        async for data in reply.aiter_raw():
            yield data
    except httpx.HTTPError as error:
        raise WorkError("engine_ended") from error


def error_of(reply: httpx.Response, data: bytes) -> dict[str, Any]:
    """The body of a reply that is no success, in OpenAI's form whatever vLLM made of it."""
    try:
        said = json.loads(data)
    except ValueError:
        said = {}
    if isinstance(said, dict) and isinstance(said.get("error"), dict):
        return said
    message = said.get("message") if isinstance(said, dict) else None
    return {"error": {"message": str(message or data[:300].decode("utf-8", "replace")), "type": "invalid_request_error",
                      "param": None, "code": reply.status_code}}
