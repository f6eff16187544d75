"""Saving and loading a model whose own weights moved: the folder is an ordinary Hugging Face model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch

from studio.engine.tuned import Tuned

# Weights are written anew; the rest of a model folder (tokenizer, template, generation settings, cards) is copied.
_NOT_COPIED = (".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".h5", ".msgpack", ".onnx", ".gguf", ".index.json")
_LARGEST_COPIED = 64_000_000


def tuned(model: Any, source: Path) -> Tuned:
    """A model whose parameters that require a gradient move."""
    moving = {name: p for name, p in model.named_parameters() if p.requires_grad}
    stored = _stored_dtype(source)
    return Tuned(model, moving, lambda folder: save(model, source, folder, stored), lambda folder: load(model, folder),
                 exact=stored == torch.float32)


def _stored_dtype(source: Path) -> Any:
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    name = config.get("dtype") or config.get("torch_dtype") or "float32"
    return getattr(torch, str(name).removeprefix("torch."), torch.float32)


def save(model: Any, source: Path, folder: Path, stored: Any) -> None:
    """Write weights, config and the files beside them.

    Moving weights keep their float32 when the source was float32; else the checkpoint takes the source's dtype, so
    that it stays as large as the model it came from. The float32 originals are in the trainer's state.
    """
    state = {name: value.to(stored) if value.is_floating_point() else value
             for name, value in model.state_dict().items()}
    model.save_pretrained(folder, state_dict=state)
    _set_dtype(folder / "config.json", stored)
    copy_companions(source, folder)


def _set_dtype(config: Path, stored: Any) -> None:
    values = json.loads(config.read_text(encoding="utf-8"))
    values["dtype"] = str(stored).removeprefix("torch.")
    config.write_text(json.dumps(values, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def copy_companions(source: Path, folder: Path) -> None:
    """Tokenizer, chat template and generation settings, as files: nothing is parsed and written anew."""
    for file in source.iterdir():
        wanted = file.is_file() and not file.name.endswith(_NOT_COPIED) and not file.name.startswith(".")
        if wanted and file.name != "config.json" and file.stat().st_size <= _LARGEST_COPIED:
            shutil.copyfile(file, folder / file.name)


@torch.no_grad()
def load(model: Any, folder: Path) -> None:
    """Fill the model's weights from a checkpoint of its own."""
    from safetensors.torch import load_file

    own = model.state_dict()
    for file in sorted(folder.glob("*.safetensors")):
        for name, value in load_file(file).items():
            own[name].copy_(value)
