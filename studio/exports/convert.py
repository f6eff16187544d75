"""Pickled weights of older systems made into safetensors: what a folder has, who converts it, what is put beside.

The pickles are opened by `studio.engine.convert`, a process that is locked in; here only its answer and the headers
of the files that it wrote are read.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.data import model
from studio.errors import InputError, WorkError
from studio.plugins.metrics import _sandbox
from studio.records import read_json, write_json
from studio.workspace import PROJECT

NAMES = {"adapter_model": "adapter_model", "chatglm-lora": "adapter_model", "pytorch_model": "model"}
KEPT = (".json", ".txt", ".model", ".jinja", ".tiktoken", ".md", ".safetensors")
INDEX = "pytorch_model.bin.index.json"
ADAPTER = "adapter_config.json"
ALPHA = 32  # InstructGLM's own, which its file does not tell
_START_BYTES, _MOST_START = 12 << 30, 180


@dataclass(frozen=True)
class Converted:
    """What was made: `files` with their tensors, what was `kept` as it was, what was `left` out, `notes` by code."""

    path: Path
    files: tuple[Mapping[str, Any], ...]
    kept: tuple[str, ...]
    left: tuple[str, ...]
    notes: tuple[Mapping[str, Any], ...] = field(default=())


def pickles(folder: Path) -> list[Path]:
    """The pickles of a folder that hold weights, or the one file that was named."""
    if folder.is_file():
        return [folder] if folder.suffix in (".bin", ".pt", ".pth", ".ckpt") else []
    return sorted(path for pattern in model.PICKLES[:4] for path in folder.glob(pattern)
                  if path.name not in model.STATES and not path.name.startswith("rng_state"))


def convert(folder: Path, into: Path | None = None, alpha: int | None = None) -> Converted:
    """Make safetensors of a folder's pickles, in a folder of its own; the pickles stay as they are.

    `alpha` is the lora_alpha of an adapter whose settings are lost. Raises InputError pickles_none, export_exists,
    pickle_asks, pickle_empty, pickle_broken; WorkError pickle_failed, disk_refuses.
    """
    folder = folder.absolute()
    found = pickles(folder)
    if not found:
        raise InputError("pickles_none", path=str(folder))
    home = folder.parent if folder.is_file() else folder
    into = (into or home.with_name(f"{home.name}-safetensors")).absolute()
    if into.exists():
        raise InputError("export_exists", path=str(into))
    aside = into.with_name(f".{into.name}.{os.getpid()}.part")
    try:
        aside.mkdir(parents=True)
        told = _asked(_task(found, home, aside))
        kept = _companions(home, aside, folder.is_file())
        notes = _settings(home, aside, told, alpha)
        _index(home, aside, told)
        os.rename(aside, into)
    except OSError as error:
        raise WorkError("disk_refuses", path=str(into), reason=error.strerror or str(error)) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    left = tuple(sorted(path.name for path in home.iterdir() if path.is_file() and path.name not in kept
                        and path not in found and path.name != INDEX)) if folder.is_dir() else ()
    return Converted(into, tuple(told), tuple(kept), left, tuple(notes))


def _task(found: list[Path], home: Path, aside: Path) -> dict[str, Any]:
    """What the converting process is told; its limits grow with the files."""
    size = sum(path.stat().st_size for path in found)
    named = [{"file": path.name, "name": _name(path)} for path in found]
    if len({one["name"] for one in named}) < len(named):
        named = [{"file": path.name, "name": f"{path.stem}.safetensors"} for path in found]
    enabled = (read_json(home / ADAPTER) or {}).get("enable_lora")
    return {"from": str(home), "into": str(aside), "files": named, "seconds": 300 + size // 5_000_000,
            "memory": _START_BYTES + 4 * size, "bytes": 2 * size + (64 << 20),
            "enabled": enabled if isinstance(enabled, list) else None}


def _name(path: Path) -> str:
    """What the safetensors are called: shards keep their number."""
    for old, new in NAMES.items():
        if path.stem == old or path.stem.startswith(f"{old}-0"):
            return f"{new}{path.stem.removeprefix(old)}.safetensors"
    return f"{path.stem}.safetensors"


def _asked(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the locked-in process made of the files; raises InputError for what it refused."""
    alone = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    environment = {"PATH": os.defpath, "HOME": task["into"], "TMPDIR": task["into"], "LANG": "C.UTF-8",
                   "PYTHONPATH": str(PROJECT), **alone}
    command = [*_sandbox._unshare(), sys.executable, "-B", "-P", "-m", "studio.engine.convert"]
    try:
        done = subprocess.run(command, cwd=task["into"], env=environment, input=json.dumps(task).encode(),
                              capture_output=True, timeout=_MOST_START + task["seconds"])
    except subprocess.TimeoutExpired:
        raise WorkError("pickle_failed", reason="timeout") from None
    try:
        said = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode(errors="replace").strip().splitlines()
        raise WorkError("pickle_failed", reason=last[-1][:200] if last else f"exit {done.returncode}") from None
    if "refused" in said:
        refused = said["refused"]
        code = refused["code"] if refused["code"] in ("pickle_asks", "pickle_empty") else "pickle_broken"
        raise InputError(code, file=str(refused["file"]), reason=str(refused["reason"]))
    return list(said["done"])


def _companions(home: Path, aside: Path, alone: bool) -> list[str]:
    """Copy what stands beside the weights: settings, tokenizer; no program, no pickle. The names copied."""
    names = []
    for path in sorted(home.iterdir()):
        beside = path.name == ADAPTER if alone else path.suffix in KEPT
        if path.is_file() and beside and path.name != INDEX and not (aside / path.name).exists():
            shutil.copyfile(path, aside / path.name)
            names.append(path.name)
    return names


def _settings(home: Path, aside: Path, told: list[dict[str, Any]], alpha: int | None) -> list[dict[str, Any]]:
    """adapter_config.json as today's PEFT reads it; what had to be assumed."""
    adapter = next((one for one in told if one.get("rank")), None)
    if adapter is None or adapter["name"] != "adapter_model.safetensors":
        return []
    known, notes = read_json(home / ADAPTER), list[dict[str, Any]]()
    before = int((known or {}).get("r") or adapter["rank"] // max(1, adapter["widened"]))
    scale = (alpha or (known or {}).get("lora_alpha") or ALPHA) * adapter["rank"] / before
    if known is None and alpha is None:
        notes.append({"code": "alpha_assumed", "value": ALPHA})
    if adapter["widened"]:
        notes.append({"code": "fused_widened", "rank": adapter["rank"]})
    kept = {name: value for name, value in (known or {}).items() if name not in ("enable_lora", "merge_weights")}
    write_json(aside / ADAPTER, {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", "base_model_name_or_path": None,
        "target_modules": adapter["modules"], "inference_mode": True, **kept, "r": adapter["rank"],
        "lora_alpha": int(scale) if scale == int(scale) else scale,
        "fan_in_fan_out": False if adapter["widened"] else bool(kept.get("fan_in_fan_out"))})
    return notes


def _index(home: Path, aside: Path, told: list[dict[str, Any]]) -> None:
    """The index of shards with their new names."""
    index = read_json(home / INDEX)
    if index is None or not isinstance(index.get("weight_map"), dict):
        return
    names = {one["file"]: one["name"] for one in told}
    index["weight_map"] = {name: names.get(file, file) for name, file in index["weight_map"].items()}
    write_json(aside / model.INDEX, index)
