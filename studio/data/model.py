"""Model folders looked at without loading them: config.json and the headers of the safetensors files."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from pathlib import Path
from typing import Any

from studio.errors import InputError
from studio.workspace import STARTER, Workspace

TRAINABLE = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.h5", "*.msgpack")
STATES = ("training_args.bin", "optimizer.pt", "scheduler.pt", "rng_state.pth", "finetuning_args.bin",
          "trainer_state.pt")  # of trainers, beside the weights
INDEX = "model.safetensors.index.json"
HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# The same figure under the names that model families use in config.json.
NAMES = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model", "dim"),
    "context": ("max_position_embeddings", "n_positions", "seq_length", "max_sequence_length", "n_ctx", "seq_len"),
    "vocab": ("vocab_size", "padded_vocab_size"),
}


@dataclass(frozen=True)
class ModelFacts:
    """What a model folder says about itself; a figure that it does not say is 0."""

    folder: Path
    model_type: str
    architecture: str
    parameters: int
    tensors: Mapping[str, tuple[tuple[int, ...], str]]
    layers: int
    hidden: int
    context: int
    vocab: int
    tied: bool
    bytes: int


def locate(name: str, workspace: Workspace, revision: str = "main") -> Path | None:
    """The folder of a model: `starter`, a path, or a name below models/; None for a hub name that is not here yet.

    Raises InputError model_missing for what is neither.
    """
    if name == STARTER:
        return workspace.starter
    path = Path(name).expanduser()
    for folder in (path, workspace.root / path, workspace.models / path, download_folder(name, workspace, revision)):
        if folder.is_dir():
            return folder.resolve()
    if HUB_NAME.fullmatch(name):
        return None
    raise InputError("model_missing", name=name)


def download_folder(name: str, workspace: Workspace, revision: str = "main") -> Path:
    """Where a model of the hub lands: models/<organisation>--<name>, with @<revision> when it is another than main."""
    suffix = "" if revision == "main" else "@" + re.sub(r"[^\w.-]", "-", revision)
    return workspace.models / (name.replace("/", "--") + suffix)


def local_models(workspace: Workspace) -> list[str]:
    """The names that `locate` finds on this disk: the starter, then the model folders below models/."""
    found = sorted(path.parent.name for path in workspace.models.glob("*/config.json"))
    return [STARTER, *found]


def inspect(folder: Path, packed: bool = False) -> ModelFacts:
    """The facts of a model folder; with `packed`, of one that bitsandbytes has quantized, too, its tensors as stored.

    Raises InputError: model_missing, model_empty, model_no_config, model_config_broken, model_no_weights,
    model_only_pickles, model_shard_missing, model_truncated, model_weights_broken, model_dtype.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("model_missing", name=str(folder))
    if not any(folder.iterdir()):
        raise InputError("model_empty", path=str(folder))
    config = _config(folder)
    weights = _weights(folder)
    tensors: dict[str, tuple[tuple[int, ...], str]] = {}
    for path in weights:
        stat = path.stat()
        tensors |= _header(path, stat.st_mtime_ns, stat.st_size)
    if not (packed and is_packed(config)):
        _refuse_strange_numbers(folder, tensors)
    text = {**config, **config.get("text_config", {})} if isinstance(config.get("text_config"), dict) else config
    figures = {ours: next((text[name] for name in names if isinstance(text.get(name), int)), 0)
               for ours, names in NAMES.items()}
    return ModelFacts(folder, str(config["model_type"]), _first(config.get("architectures")),
                      sum(prod(shape) for shape, _ in tensors.values()), tensors, tied=_tied(config, tensors),
                      bytes=sum(path.stat().st_size for path in weights), **figures)


def is_packed(config: Mapping[str, Any]) -> bool:
    """Whether a configuration says that bitsandbytes has quantized the weights beside it."""
    said = config.get("quantization_config")
    return isinstance(said, dict) and said.get("quant_method") == "bitsandbytes"


def only_pickles(folder: Path) -> list[str]:
    """The pickles that hold a folder's weights; [] where safetensors do, or nothing does."""
    if any(folder.glob("*.safetensors")):
        return []
    return sorted(path.name for pattern in PICKLES for path in folder.glob(pattern) if path.name not in STATES)


def vocabulary(folder: Path) -> int:
    """How many token ids the model has rows for; 0 when its configuration does not say."""
    path = folder / "config.json"
    config = _object(path) if path.is_file() else {}
    return next((config[name] for name in NAMES["vocab"] if isinstance(config.get(name), int)), 0)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        if found := only_pickles(folder):
            raise InputError("model_only_pickles", path=str(folder), found=found[:3])
        raise InputError("model_no_config", path=str(folder))
    config = _object(path)
    if not isinstance(config.get("model_type"), str):
        raise InputError("model_config_broken", path=str(path), reason="model_type")
    kind = str(config.get("dtype") or config.get("torch_dtype") or "float32").removeprefix("torch.")
    if kind not in ("float64", "float32", "float16", "bfloat16", "auto"):
        raise InputError("model_dtype", path=str(folder), value=kind, allowed=_allowed())
    return config


def _object(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("model_config_broken", path=str(path), reason=str(error)) from error
    if not isinstance(value, dict):
        raise InputError("model_config_broken", path=str(path), reason=type(value).__name__)
    return value


def _weights(folder: Path) -> list[Path]:
    """The safetensors files that hold the model, as its loader would choose them."""
    single, index = folder / "model.safetensors", folder / INDEX
    if single.is_file():
        return [single]
    if index.is_file():
        named = _object(index).get("weight_map")
        if not isinstance(named, dict):
            raise InputError("model_config_broken", path=str(index), reason="weight_map")
        for name in sorted(set(map(str, named.values()))):
            if not (folder / name).is_file():
                raise InputError("model_shard_missing", path=str(folder), file=name)
        return [folder / name for name in sorted(set(map(str, named.values())))]
    found = sorted(path for path in folder.glob("*.safetensors") if not path.name.startswith("adapter"))
    if found:
        return found
    if pickles := only_pickles(folder):
        raise InputError("model_only_pickles", path=str(folder), found=pickles[:3])
    raise InputError("model_no_weights", path=str(folder))


@lru_cache(maxsize=512)
def _header(path: Path, changed: int, size: int) -> Mapping[str, tuple[tuple[int, ...], str]]:
    """Shape and type of every tensor in a file whose length is what its header says."""
    try:
        with open(path, "rb") as file:
            start = file.read(8)
            length = struct.unpack("<Q", start)[0] if len(start) == 8 else size
            if 8 + length > size:
                raise InputError("model_truncated", path=str(path), found=size, value=8 + length)
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        found = {name: (tuple(map(int, one["shape"])), str(one["dtype"])) for name, one in header.items()}
        end = 8 + length + max((one["data_offsets"][1] for one in header.values()), default=0)
    except OSError as error:
        raise InputError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    except (ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        raise InputError("model_weights_broken", path=str(path), reason=str(error)) from error
    if end > size:
        raise InputError("model_truncated", path=str(path), found=size, value=end)
    return found


def _refuse_strange_numbers(folder: Path, tensors: Mapping[str, tuple[tuple[int, ...], str]]) -> None:
    """Weights are matrices of floats; small whole-number buffers, which some models keep beside them, are let pass."""
    strange = sorted({kind for shape, kind in tensors.values() if kind not in TRAINABLE and len(shape) > 1
                      and kind not in ("BOOL", "I64")})
    if strange:
        raise InputError("model_dtype", path=str(folder), value=", ".join(strange), allowed=_allowed())


def _allowed() -> str:
    return "float32, bfloat16, float16"


def _first(names: Any) -> str:
    return str(names[0]) if isinstance(names, list) and names else ""


def _tied(config: Mapping[str, Any], tensors: Mapping[str, Any]) -> bool:
    """Whether input and output embeddings are one; most families' default is what their file shows."""
    said = config.get("tie_word_embeddings")
    if isinstance(said, bool):
        return said
    return not any(name.endswith(("lm_head.weight", "output_layer.weight", "embed_out.weight")) for name in tensors)
