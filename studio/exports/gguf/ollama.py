"""A finished GGUF file brought into a running Ollama by its HTTP API: the file as a blob, then a model made of it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx

from studio.errors import WorkError
from studio.exports.gguf.modelfile import Modelfile
from studio.exports.place import digest

PORT = 11434
_ASK_SECONDS, _WORK_SECONDS = 1.5, 600.0
_BLOCK = 1 << 20


def address(said: str | None = None) -> str:
    """Where Ollama listens: OLLAMA_HOST as Ollama itself reads it, else its usual place."""
    said = (os.environ.get("OLLAMA_HOST", "") if said is None else said).strip().rstrip("/")
    scheme, there, rest = said.partition("://")
    host = rest if there else scheme
    if not re.search(r":\d+$", host):
        host = f"{host or '127.0.0.1'}:{PORT if not there else 443 if scheme == 'https' else 80}"
    if host.startswith(("0.0.0.0:", "[::]:", ":")):
        host = f"127.0.0.1:{host.rpartition(':')[2]}"
    return f"{scheme if there else 'http'}://{host}"


def is_running(where: str) -> bool:
    """Whether an Ollama answers there."""
    try:
        return httpx.get(f"{where}/api/version", timeout=_ASK_SECONDS, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def free_name(where: str, name: str) -> str:
    """The name, or the next one with a number that no model has there."""
    known = {str(one.get("name")) for one in _asked(where, "GET", "/api/tags").get("models", [])}
    number, tried = 1, name
    while tried in known or f"{tried}:latest" in known:
        number += 1
        tried = f"{name}-{number}"
    return tried


def bring(where: str, name: str, file: Path, told: Modelfile, tell: Callable[[int, int, str], None],
          stay: Callable[[], None]) -> None:
    """Make the model `name` there; raises WorkError ollama_failed, and what `stay` raises."""
    blob = f"sha256:{digest(file, stay)}"
    try:
        if httpx.head(f"{where}/api/blobs/{blob}", timeout=_WORK_SECONDS, trust_env=False).status_code != 200:
            sent = httpx.post(f"{where}/api/blobs/{blob}", content=_blocks(file, tell, stay), timeout=_WORK_SECONDS,
                              trust_env=False, headers={"Content-Length": str(file.stat().st_size)})
            _look_at(sent.status_code, sent.text)
    except httpx.HTTPError as error:
        raise WorkError("ollama_failed", address=where, reason=str(error)) from error
    asked = {"model": name, "files": {file.name: blob}, "template": told.template,
             "parameters": dict(told.parameters), "stream": True} | ({"system": told.system} if told.system else {})
    _create(where, asked, stay)


def _blocks(file: Path, tell: Callable[[int, int, str], None], stay: Callable[[], None]) -> Iterator[bytes]:
    done, total = 0, file.stat().st_size
    with open(file, "rb") as opened:
        while block := opened.read(_BLOCK):
            stay()
            yield block
            done += len(block)
            tell(done, total, file.name)


def _create(where: str, asked: dict[str, Any], stay: Callable[[], None]) -> None:
    """Follow the making of the model to its end."""
    last: dict[str, Any] = {}
    try:
        with httpx.stream("POST", f"{where}/api/create", json=asked, timeout=_WORK_SECONDS, trust_env=False) as answer:
            if answer.status_code != 200:
                _look_at(answer.status_code, answer.read().decode("utf-8", "replace"))
            for line in answer.iter_lines():
                stay()
                last = json.loads(line) if line.strip() else last
                if "error" in last:
                    break
    except (httpx.HTTPError, ValueError) as error:
        raise WorkError("ollama_failed", address=where, reason=str(error)) from error
    if last.get("status") != "success":
        raise WorkError("ollama_failed", address=where, reason=str(last.get("error") or last))


def _asked(where: str, method: str, path: str) -> dict[str, Any]:
    try:
        answer = httpx.request(method, where + path, timeout=_WORK_SECONDS, trust_env=False)
        _look_at(answer.status_code, answer.text)
        return dict(answer.json())
    except (httpx.HTTPError, ValueError) as error:
        raise WorkError("ollama_failed", address=where, reason=str(error)) from error


def _look_at(status: int, text: str) -> None:
    if status >= 300:
        raise httpx.HTTPError(f"{status}: {text[:200]}")
