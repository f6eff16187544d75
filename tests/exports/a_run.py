"""A LoRA run of the starter as it lies on disk, its weights written by numpy: for what is asked before anything."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from studio.data import model
from studio.data.mark import mark
from studio.identity import Identity
from studio.records import write_json
from studio.runs.files import RunFolder
from studio.runs.store import RunStore
from studio.specs import train
from studio.workspace import PROJECT, Workspace

STARTER = PROJECT / "data" / "starter"


def a_base(workspace: Workspace, name: str = "mine") -> Path:
    """A model of the user's own: a copy of the starter."""
    folder = workspace.models / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(STARTER, folder)
    for path in folder.rglob("*"):
        path.chmod(0o644)
    return folder


def lora(folder: Path, base: Path, rank: int = 2, wider: int = 0) -> Path:
    """A LoRA on q_proj of every layer, all zero; `wider` makes it one of another model."""
    tensors = {}
    for name, (shape, _) in model.inspect(base).tensors.items():
        if name.endswith("q_proj.weight"):
            place = f"base_model.model.{name.removesuffix('.weight')}"
            tensors[f"{place}.lora_A.weight"] = np.zeros((rank, shape[1] + wider), np.float32)
            tensors[f"{place}.lora_B.weight"] = np.zeros((shape[0], rank), np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "r": rank, "lora_alpha": 4, "target_modules": ["q_proj"], "bias": "none",
                "base_model_name_or_path": str(base), "task_type": "CAUSAL_LM"}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


def a_run(workspace: Workspace, name: str = "tuned", base: Path = STARTER, steps: tuple[int, ...] = (10, 20),
          **more: Any) -> RunFolder:
    """A run with checkpoints, the first of which is the best."""
    named = "starter" if base == STARTER else base.name
    run = RunStore(workspace).create(train.check(
        {"model_name_or_path": named, "dataset": ["arithmetic#200"], "finetuning_type": "lora", **more}), name)
    for step in steps:
        folder = lora(run.checkpoint(step), base)
        write_json(folder / "state.json", {"step": step, "eval_loss": step / 10, "base": mark(base)})
        (folder / "complete").touch()
    return run


def at_work(run: RunFolder) -> None:
    """Make the run look as if this very process were training it."""
    me = Identity.of(os.getpid())
    assert me is not None
    write_json(run.process, {"supervisor": me.as_json(), "engine": me.as_json()})
