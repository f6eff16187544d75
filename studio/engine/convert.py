"""Reads pickled weights and writes safetensors; a program of its own, locked in before it opens anything.

    python -m studio.engine.convert        a task as JSON on stdin, {"done": …} or {"refused": …} on stdout

It has no network, may read Python's own files and the one folder, may write into the folder aside alone, and lets the
unpickler make tensors and nothing else (`weights_only`). Tensors are written one after the other.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from studio.engine import convert_names
from studio.plugins.metrics import _sandboxed

NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.float64: "F64", torch.int64: "I64",
         torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL"}
_ASKED = re.compile(r"GLOBAL ([\w.]+)")


def main() -> int:
    """Lock this process in, do the task, say what came of it."""
    task = json.loads(sys.stdin.buffer.read())
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    folder, source = os.path.realpath(task["into"]), os.path.realpath(task["from"])
    limit(task)
    readable = [os.path.realpath(path) for path in (sys.prefix, sys.base_prefix, *sys.path, *_sandboxed.SYSTEM, source)
                if path]
    _sandboxed.lock(folder, readable)
    sys.addaudithook(_sandboxed.watcher(folder, readable))
    said: dict[str, Any] = {"done": []}
    for one in task["files"]:
        try:
            said["done"].append(convert(Path(source, one["file"]), Path(folder, one["name"]), task.get("enabled")))
        except Exception as error:
            said = {"refused": {"file": one["file"], **_reason(error)}}
            break
    answer.write(json.dumps(said))
    answer.close()
    return 0


def limit(task: Mapping[str, Any]) -> None:
    """Hard limits of the kernel on time, memory and the size of files."""
    import resource

    for name, most in (("RLIMIT_CPU", task["seconds"]), ("RLIMIT_AS", task["memory"]), ("RLIMIT_FSIZE", task["bytes"]),
                       ("RLIMIT_CORE", 0)):
        hard = resource.getrlimit(getattr(resource, name))[1]
        most = int(most) if hard == resource.RLIM_INFINITY else min(int(most), hard)
        resource.setrlimit(getattr(resource, name), (most, most))


def convert(path: Path, into: Path, enabled: list[bool] | None = None) -> dict[str, Any]:
    """Write the tensors of one pickle; what was done to their names. Raises ValueError and what torch raises."""
    found = dict(tensors(load(path)))
    if not found:
        raise ValueError("empty")
    found, done = convert_names.today(found, enabled)
    write(found, into)
    return {"file": path.name, "name": into.name, "tensors": len(found), **done}


def load(path: Path) -> Any:
    """What the pickle holds: tensors, numbers, texts, lists and dicts; anything else is refused by the unpickler."""
    try:
        return torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, ValueError) as error:
        if "mmap" not in str(error):
            raise
    return torch.load(path, map_location="cpu", weights_only=True)  # a file as torch wrote them before 1.6


def tensors(held: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """The named tensors; some trainers put them below `state_dict`, `model` or `module`."""
    if isinstance(held, Mapping):
        inner = [held[key] for key in ("state_dict", "module", "model") if isinstance(held.get(key), Mapping)]
        if inner and not any(isinstance(value, torch.Tensor) for value in held.values()):
            yield from tensors(inner[0])
            return
        for name, value in held.items():
            if isinstance(value, torch.Tensor) and value.layout == torch.strided and value.dtype in NAMES:
                yield str(name), value.detach()


def write(found: Mapping[str, torch.Tensor], into: Path) -> None:
    """A safetensors file, tensor by tensor: https://github.com/huggingface/safetensors#format"""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    place = 0
    for name in sorted(found):
        size = found[name].numel() * found[name].element_size()
        header[name] = {"dtype": NAMES[found[name].dtype], "shape": list(found[name].shape),
                        "data_offsets": [place, place + size]}
        place += size
    text = json.dumps(header, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with open(into, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in sorted(found):
            file.write(memoryview(found[name].contiguous().reshape(-1).view(torch.uint8).numpy()))


def _reason(error: Exception) -> dict[str, str]:
    """Why a file was not taken: what it asked for, or what was wrong with it."""
    asked = _ASKED.search(str(error))
    if asked:
        return {"code": "pickle_asks", "reason": asked[1]}
    if isinstance(error, ValueError) and str(error) == "empty":
        return {"code": "pickle_empty", "reason": ""}
    lines = [line for line in str(error).strip().splitlines() if line]
    return {"code": "pickle_broken", "reason": (lines[0] if lines else type(error).__name__)[:200]}


if __name__ == "__main__":
    sys.exit(main())
