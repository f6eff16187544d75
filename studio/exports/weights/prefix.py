"""A learned prefix as the studio loads it, and as PEFT's prefix tuning where that can hold it.

The studio lets a text begin at position 0 behind its prefix; PEFT lets it begin behind the prefix's length. Where
positions are rotations (RoPE), only the distance of a question and a key counts: a prefix whose keys are turned on by
its length does in PEFT what it does here. Where positions are learned or biases, PEFT has no way to say it.
"""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from studio.errors import InputError
from studio.exports.source import Source
from studio.exports.weights import numbers
from studio.exports.weights.adapter import base_name
from studio.exports.weights.files import Tensor, tensors
from studio.exports.weights.stream import Planned
from studio.exports.weights.writing import write_file
from studio.exports.work import Work
from studio.records import read_json

WEIGHTS, CONFIG = "prefix_encoder.safetensors", "prefix_config.json"
PEFT = "peft"
# Families that turn the two halves of a head against each other, all heads of a layer alike.
_TURNED = ("llama", "mistral", "qwen2", "qwen3", "gemma", "granite", "olmo2", "starcoder2")


def write(source: Source, dtype: str, work: Work) -> bool:
    """Write the studio's files, and PEFT's into a folder of their own; whether PEFT's were possible.

    Raises StopAsked, InputError adapter_missing.
    """
    folder, kind = source.parts[-1].folder, numbers.WORDS.get(dtype, "")
    found = tensors(folder / WEIGHTS)
    about = _about(folder)
    wanted = {name: Planned(one.shape, kind or one.dtype) for name, one in found.items()}
    work.tell(0, 2, WEIGHTS)
    for _ in write_file(work.into / WEIGHTS, wanted,
                        lambda name: [numbers.narrowed(found[name].whole(), wanted[name].dtype)]):
        work.stay()
    _write(work.into / CONFIG, {**about, "base_model_name_or_path": base_name(source)})
    work.tell(1, 2, PEFT)
    possible = _for_peft(source, found, about, kind or "F32", work)
    work.tell(2, 2, "")
    return possible


def size(source: Source) -> int:
    """Bytes of both, in float32."""
    about = _about(source.parts[-1].folder)
    return (source.parts[-1].folder / WEIGHTS).stat().st_size + 4 * prod(map(int, about.get("shape") or [0]))


def has_peft_form(source: Source) -> bool:
    """Whether PEFT's prefix tuning can do what this prefix does."""
    return _frequencies(read_json(source.base / "config.json") or {}, 2) is not None


def _for_peft(source: Source, found: dict[str, Tensor], about: dict[str, Any], kind: str, work: Work) -> bool:
    learned = _numbers(found, tuple(map(int, about["shape"])))
    layers, _, heads, length, width = learned.shape
    frequencies = _frequencies(read_json(source.base / "config.json") or {}, width)
    if frequencies is None:
        return False
    learned[:, 0] = _turned(learned[:, 0], length * frequencies)
    flat = learned.transpose(3, 0, 1, 2, 4).reshape(length, -1)
    into = work.into / PEFT
    into.mkdir()
    plan = {"prompt_embeddings": Planned(flat.shape, kind)}
    for _ in write_file(into / "adapter_model.safetensors", plan,
                        lambda name: [numbers.narrowed(np.ascontiguousarray(flat), kind)]):
        work.stay()
    _write(into / "adapter_config.json", {
        "peft_type": "PREFIX_TUNING", "task_type": "CAUSAL_LM", "base_model_name_or_path": base_name(source),
        "inference_mode": True, "num_virtual_tokens": length, "num_layers": layers, "num_attention_heads": heads,
        "token_dim": heads * width, "num_transformer_submodules": 1, "encoder_hidden_size": heads * width,
        "prefix_projection": False, "revision": None})
    return True


def _numbers(found: dict[str, Tensor], shape: tuple[int, ...]) -> np.ndarray:
    """Keys and values `(layers, 2, heads, length, dim)`; a projection is worked out."""
    if "numbers" in found:
        return found["numbers"].whole()
    layers, two, heads, length, width = shape
    hidden = np.tanh(found["embedding"].whole() @ found["into.weight"].whole().T + found["into.bias"].whole())
    made = hidden @ found["out.weight"].whole().T + found["out.bias"].whole()
    return np.ascontiguousarray(made.reshape(length, layers, two, heads, width).transpose(1, 2, 3, 0, 4))


def _turned(keys: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """Keys `(…, dim)` turned on by one angle for each pair of the two halves."""
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    first, second = np.split(keys, 2, axis=-1)
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], axis=-1)


def _frequencies(config: dict[str, Any], width: int) -> np.ndarray | None:
    """The angle by which a position turns each pair, as the family does it; None where it is not known here."""
    said = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = str(said.get("rope_type") or said.get("type") or "default")
    partial = config.get("partial_rotary_factor") or said.get("partial_rotary_factor") or 1.0
    if config.get("model_type") not in _TURNED or kind not in ("default", "linear", "llama3") or partial != 1.0:
        return None
    base = float(said.get("rope_theta") or config.get("rope_theta") or 10000.0)
    plain = base ** (-np.arange(0, width, 2, dtype=np.float64) / width)
    if kind == "default":
        return plain
    slower = plain / float(said["factor"])
    return slower if kind == "linear" else _between(plain, slower, said)


def _between(plain: np.ndarray, slower: np.ndarray, said: dict[str, Any]) -> np.ndarray:
    """Llama 3.1's angles: long waves are slowed down, short ones are not, those between partly."""
    turns = float(said["original_max_position_embeddings"]) * plain / (2 * np.pi)
    low, high = float(said["low_freq_factor"]), float(said["high_freq_factor"])
    share = np.clip((turns - low) / (high - low), 0, 1)
    return share * plain + (1 - share) * slower


def _about(folder: Path) -> dict[str, Any]:
    about = read_json(folder / CONFIG)
    if about is None or not (folder / WEIGHTS).is_file():
        raise InputError("adapter_missing", path=str(folder))
    return about


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
