"""LoRA adapters on a model and in PEFT's files: attach, save, load, merge."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from studio.engine.lora import Lora, is_linear
from studio.errors import InputError

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
_PREFIX = "base_model.model."
_PLAIN = {"bias": "none", "fan_in_fan_out": False, "inference_mode": True, "init_lora_weights": True,
          "peft_type": "LORA", "task_type": "CAUSAL_LM", "alpha_pattern": {}, "rank_pattern": {},
          "layers_to_transform": None, "layers_pattern": None, "lora_bias": False, "revision": None}
_UNKNOWN_WHEN_SET = ("lora_bias", "layers_to_transform", "rank_pattern", "alpha_pattern", "trainable_token_indices",
                     "target_parameters", "layer_replication", "megatron_config", "use_qalora")


@dataclass(frozen=True)
class Shape:
    """What an adapter is: PEFT's LoraConfig as far as it goes here."""

    rank: int
    alpha: float
    targets: tuple[str, ...]
    drop: float = 0.0
    rank_stabilised: bool = False
    dora: bool = False
    also: tuple[str, ...] = ()
    base: str = ""
    rest: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """adapter_config.json."""
        return {**_PLAIN, **self.rest, "base_model_name_or_path": self.base, "r": self.rank, "lora_alpha": self.alpha,
                "lora_dropout": self.drop, "target_modules": list(self.targets), "use_rslora": self.rank_stabilised,
                "use_dora": self.dora, "modules_to_save": list(self.also) or None}


def read_shape(folder: Path) -> Shape:
    """The shape of an adapter on disk.

    Raises InputError adapter_missing, adapter_kind, adapter_feature.
    """
    config = read_config(folder, _UNKNOWN_WHEN_SET)
    targets = config.get("target_modules") or []
    targets = [targets] if isinstance(targets, str) else targets
    return Shape(int(config["r"]), float(config["lora_alpha"]), tuple(targets), float(config.get("lora_dropout") or 0),
                 bool(config.get("use_rslora")), bool(config.get("use_dora")),
                 tuple(config.get("modules_to_save") or ()), str(config.get("base_model_name_or_path") or ""),
                 {"revision": config.get("revision")})


def read_config(folder: Path, refused: Iterable[str]) -> dict[str, Any]:
    """adapter_config.json of a LoRA in which none of the `refused` settings is set.

    Raises InputError adapter_missing, adapter_kind, adapter_feature.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise InputError("adapter_missing", path=str(folder)) from None
    if config.get("peft_type") != "LORA":
        raise InputError("adapter_kind", path=str(folder), kind=str(config.get("peft_type")))
    for name in refused:
        if config.get(name):
            raise InputError("adapter_feature", path=str(folder), name=name)
    return dict(config)


def attach(model: Any, shape: Shape) -> dict[str, nn.Parameter]:
    """Put LoRA layers on the targets and make the modules to save trainable; the moving weights by their file names.

    Raises InputError lora_target_nothing, lora_target_kind, additional_target_nothing.
    """
    for name in _matching(model, shape.targets):
        parent, _, child = name.rpartition(".")
        base = model.get_submodule(name)
        layer = Lora(base, shape.rank, shape.alpha, drop=shape.drop, rank_stabilised=shape.rank_stabilised,
                     dora=shape.dora)
        setattr(model.get_submodule(parent), child, layer)
    _free(model, shape.also)
    return moving(model, shape)


def moving(model: Any, shape: Shape) -> dict[str, nn.Parameter]:
    """The adapter's weights by the names that they have in PEFT's file."""
    found: dict[str, nn.Parameter] = {}
    for name, module in model.named_modules():
        if isinstance(module, Lora):
            path = _PREFIX + name.replace(".base", "")
            found[f"{path}.lora_A.weight"] = module.lora_A
            found[f"{path}.lora_B.weight"] = module.lora_B
            if module.magnitude is not None:
                found[f"{path}.lora_magnitude_vector"] = module.magnitude
        elif shape.also and name.rpartition(".")[2] in shape.also:
            found.update({f"{_PREFIX}{name}.{part}": p for part, p in module.named_parameters()})
    return found


def linear_names(model: Any) -> list[str]:
    """The paths of all linear layers but the output layer."""
    head = model.get_output_embeddings()
    return [name for name, module in model.named_modules() if is_linear(module) and module is not head]


def _matching(model: Any, targets: Iterable[str]) -> list[str]:
    targets = list(targets)
    names = linear_names(model)
    if targets in (["all"], ["all-linear"]):
        return names
    chosen = [name for name in names if any(name == t or name.endswith("." + t) for t in targets)]
    for target in targets:
        if any(name == target or name.endswith("." + target) for name in chosen):
            continue
        there = [n for n, _ in model.named_modules() if n == target or n.endswith("." + target)]
        code = "lora_target_kind" if there else "lora_target_nothing"
        raise InputError(code, target=target, names=", ".join(sorted({n.rpartition(".")[2] for n in names})))
    return chosen


def _free(model: Any, also: Iterable[str]) -> None:
    """Make whole modules trainable in float32; a tied output layer gets a weight of its own, as with PEFT."""
    also = list(also)
    modules = {name: module for name, module in model.named_modules() if name.rpartition(".")[2] in also}
    for wanted in also:
        if not any(name.rpartition(".")[2] == wanted for name in modules):
            with_weights = [n for n, m in model.named_modules() if n and any(True for _ in m.parameters(False))]
            names = sorted({n.rpartition(".")[2] for n in with_weights})
            raise InputError("additional_target_nothing", target=wanted, names=", ".join(names))
    for module in modules.values():
        for name, p in list(module.named_parameters(recurse=False)):
            setattr(module, name, nn.Parameter(p.detach().clone().float()))
        for child in module.children():
            child.float().requires_grad_(True)


def save(folder: Path, shape: Shape, weights: Mapping[str, torch.Tensor]) -> None:
    """Write the adapter as PEFT does."""
    from safetensors.torch import save_file

    save_file({name: p.detach().contiguous().cpu() for name, p in weights.items()}, folder / WEIGHTS,
              metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(shape.document(), indent=2, ensure_ascii=False), encoding="utf-8")


@torch.no_grad()
def load(folder: Path, weights: Mapping[str, torch.Tensor]) -> None:
    """Fill the moving weights from an adapter on disk; raises InputError adapter_mismatch, adapter_missing."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        stored = load_file(folder / WEIGHTS)
    except (OSError, SafetensorError) as error:
        raise InputError("adapter_missing", path=str(folder / WEIGHTS)) from error
    stored = {name.replace(".modules_to_save.default", ""): value for name, value in stored.items()}
    for name in {*stored} ^ {*weights}:
        raise InputError("adapter_mismatch", path=str(folder), name=name)
    for name, value in stored.items():
        if weights[name].shape != value.shape:
            raise InputError("adapter_mismatch", path=str(folder), name=name)
        weights[name].copy_(value)


def merge(model: Any) -> None:
    """Work every LoRA layer into its base; the model is an ordinary one afterwards.

    Raises InputError adapter_merge_quantized.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, Lora):
            if type(module.base).__name__ not in ("Linear", "Conv1D"):
                raise InputError("adapter_merge_quantized")
            parent, _, child = name.rpartition(".")
            setattr(model.get_submodule(parent), child, module.merged())
    model.requires_grad_(False)
