"""Checkpoints on a loaded base: read from their folders, checked against the base, put in place and taken away."""

from __future__ import annotations

import copy
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from studio.engine import adapters, prefix
from studio.engine.lora import Lora, is_linear
from studio.engine.server.passes import Many, Pass, Share
from studio.errors import InputError

_PREFIX = "base_model.model."
_REFUSED = ("lora_bias", "trainable_token_indices", "target_parameters", "layer_replication", "megatron_config",
            "use_qalora")


@dataclass(frozen=True)
class Loaded:
    """A checkpoint in place: the sha256 of its weights and shape, its size, a prefix tuning's keys and values.

    `prefix` is `(layers, 2, heads, length, dim)`; None for low-rank ones.
    """

    name: str
    hash: str
    bytes: int
    prefix: Tensor | None = None


class Checkpoints:
    """The checkpoints of one model, by name."""

    def __init__(self, model: Any, current: Pass, dtype: torch.dtype) -> None:
        self.model = model
        self.current = current
        self.dtype = dtype
        self.loaded: dict[str, Loaded] = {}

    def load(self, name: str, folder: Path, kind: str) -> Loaded:
        """Put a checkpoint in place of any of its name; nothing is changed when it is refused.

        Raises InputError adapter_missing, adapter_kind, adapter_feature, adapter_mismatch, checkpoint_incomplete.
        """
        if folder.parent.name == "checkpoints" and not (folder / "complete").exists():
            raise InputError("checkpoint_incomplete", name=str(folder))
        made = self._prefix(name, folder) if kind == "prefix" else self._low_rank(name, folder)
        self.loaded[name] = made
        return made

    def unload(self, name: str) -> bool:
        """Take a checkpoint away; whether it was there."""
        for path, module in [(path, one) for path, one in self.model.named_modules() if isinstance(one, Many)]:
            module.remove(name)
            if module.empty:
                _set(self.model, path, module.base)
        return self.loaded.pop(name, None) is not None

    def twin(self, of: Loaded) -> str | None:
        """Another checkpoint with the very same weights."""
        return next((one.name for one in self.loaded.values() if one.hash == of.hash and one.name != of.name), None)

    def _prefix(self, name: str, folder: Path) -> Loaded:
        about = prefix.read_config(folder)
        shape = about.get("shape")
        start = _layer_numbers(self.model)
        if not isinstance(shape, list) or len(shape) != 5 or (shape[0], shape[2], shape[4]) != start:
            raise InputError("adapter_mismatch", path=str(folder), name=f"shape {shape}")
        encoder = prefix.PrefixEncoder(torch.zeros(shape), bool(about.get("prefix_projection")),
                                       self.model.config.hidden_size)
        moving = dict(encoder.named_parameters())
        prefix.load(folder, moving)
        numbers = encoder().detach().to(self.model.device, self.dtype)
        size = numbers.numel() * numbers.element_size()
        self.unload(name)
        return Loaded(name, _sha256(folder / prefix.WEIGHTS, shape), size, numbers)

    def _low_rank(self, name: str, folder: Path) -> Loaded:
        config = adapters.read_config(folder, _REFUSED)
        stored = _tensors(folder)
        shares, instead = self._sorted(folder, config, stored)
        self.unload(name)
        size = 0
        for path, share in shares.items():
            self._many(path).put(name, share=share)
            size += sum(t.numel() * t.element_size() for t in (share.a, share.b))
        for path, module in instead.items():
            self._many(path).put(name, instead=module)
            size += sum(p.numel() * p.element_size() for p in module.parameters())
        shape = {key: config.get(key) for key in ("r", "lora_alpha", "use_rslora", "use_dora", "alpha_pattern")}
        return Loaded(name, _sha256(folder / adapters.WEIGHTS, shape), size)

    def _sorted(self, folder: Path, config: Mapping[str, Any], stored: Mapping[str, Tensor]) \
            -> tuple[dict[str, Share], dict[str, nn.Module]]:
        """The file's tensors as shares and whole modules by path; every one must fit its module of the base."""
        parts: dict[str, dict[str, Tensor]] = {}
        whole: dict[str, dict[str, Tensor]] = {}
        for key, value in stored.items():
            path = key.removeprefix(_PREFIX).replace(".modules_to_save.default", "").replace(".default", "")
            for ending, part in ((".lora_A.weight", "a"), (".lora_B.weight", "b"), (".lora_magnitude_vector", "m"),
                                 (".lora_magnitude_vector.weight", "m")):
                if path.endswith(ending):
                    parts.setdefault(path.removesuffix(ending), {})[part] = value
                    break
            else:
                if ".lora_" in path:
                    raise InputError("adapter_feature", path=str(folder), name=path.rpartition(".")[2])
                module, _, leaf = path.rpartition(".")
                whole.setdefault(module, {})[leaf] = value
        try:
            shares = {path: self._share(config, path, part) for path, part in parts.items()}
            instead = {path: self._replaced(path, tensors) for path, tensors in whole.items()}
        except (_Unfit, KeyError) as error:
            raise InputError("adapter_mismatch", path=str(folder), name=str(error.args[0])) from None
        if not shares and not instead:
            raise InputError("adapter_mismatch", path=str(folder), name=adapters.WEIGHTS)
        return shares, instead

    def _share(self, config: Mapping[str, Any], path: str, part: Mapping[str, Tensor]) -> Share:
        base = _core(self.model, path)
        if not is_linear(base) or not {"a", "b"} <= set(part):
            raise _Unfit(path)
        rank = part["a"].shape[0]
        alpha = float(_by_pattern(config.get("alpha_pattern"), path, config.get("lora_alpha", rank)))
        probe = Lora(base, rank, alpha, rank_stabilised=bool(config.get("use_rslora")))
        if part["a"].shape != probe.lora_A.shape or part["b"].shape != probe.lora_B.shape:
            raise _Unfit(path)
        device = base.weight.device
        factors = None
        if "m" in part:
            probe.lora_A.data.copy_(part["a"])
            probe.lora_B.data.copy_(part["b"])
            norm = torch.linalg.norm(probe.base_weight().float() + probe.delta(), dim=1)
            factors = (part["m"].float().view(-1).to(device) / norm).to(self.dtype)
        dtype = torch.float32 if device.type == "cpu" else self.dtype
        scaled = part["b"].float() * (alpha / (math.sqrt(rank) if config.get("use_rslora") else rank))
        return Share(part["a"].to(device, dtype), scaled.T.contiguous().to(device, dtype), factors)

    def _replaced(self, path: str, tensors: Mapping[str, Tensor]) -> nn.Module:
        base = _core(self.model, path)
        own = dict(base.named_parameters(recurse=False))
        if any(True for _ in base.children()) or set(own) != set(tensors):
            raise _Unfit(path)
        with torch.no_grad():
            made = copy.copy(base)
            made._parameters = dict(base._parameters)
            for leaf, value in tensors.items():
                if own[leaf].shape != value.shape:
                    raise _Unfit(f"{path}.{leaf}")
                made._parameters[leaf] = nn.Parameter(value.to(own[leaf].device, own[leaf].dtype), requires_grad=False)
        return made

    def _many(self, path: str) -> Many:
        found = self.model.get_submodule(path)
        if not isinstance(found, Many):
            found = Many(found, self.current)
            _set(self.model, path, found)
        return found


class _Unfit(Exception):
    """A tensor of the file has no place in the base; the argument names it."""


def _core(model: Any, path: str) -> Any:
    """The base's own module at a path."""
    try:
        found = model.get_submodule(path)
    except AttributeError:
        raise _Unfit(path) from None
    return found.base if isinstance(found, Many) else found


def _set(model: Any, path: str, module: nn.Module) -> None:
    parent, _, child = path.rpartition(".")
    setattr(model.get_submodule(parent), child, module)


def _layer_numbers(model: Any) -> tuple[int, int, int]:
    """(layers, key heads, head dimension) as the configuration says."""
    config = model.config
    heads = int(getattr(config, "num_attention_heads", 0))
    size = int(getattr(config, "head_dim", 0) or config.hidden_size // max(heads, 1))
    return int(config.num_hidden_layers), int(getattr(config, "num_key_value_heads", None) or heads), size


def _tensors(folder: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:  # copies: what is read stays mapped to the file, and a file written anew in place would end the process
        return {name: value.clone() for name, value in load_file(folder / adapters.WEIGHTS).items()}
    except (OSError, SafetensorError) as error:
        raise InputError("adapter_missing", path=str(folder / adapters.WEIGHTS)) from error


def _by_pattern(pattern: Any, path: str, default: Any) -> Any:
    """PEFT's rule: the first key that is the path's end, dot for dot, else the default."""
    for key, value in (pattern or {}).items():
        if re.fullmatch(rf"(.*\.)?({key})", path):
            return value
    return default


def _sha256(file: Path, shape: Any) -> str:
    digest = hashlib.sha256(json.dumps(shape, sort_keys=True).encode())
    with open(file, "rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
