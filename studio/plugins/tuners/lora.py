"""LoRA: small low-rank matrices beside the weights move (Hu et al. 2021), optionally rank-stabilised or DoRA."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from studio.args.fields import Group, NameList, arg

ORDER = 10


class Arguments(Group):
    """Size and place of the low-rank matrices."""

    group = "lora"
    tuners = ("lora",)

    lora_rank: int = arg(8, ge=1, le=1024, basic=True, aliases=("lora_r",))
    lora_alpha: int | None = arg(None, ge=1, le=4096, basic=True)
    lora_dropout: float = arg(0.0, ge=0, lt=1)
    lora_target: NameList = arg(["all"], basic=True)
    use_rslora: bool = arg(False)
    use_dora: bool = arg(False)
    additional_target: NameList = arg([], aliases=("modules_to_save",))


def trainable(facts: Any, spec: Any) -> int:
    """Rank × (in + out) for every target, one number an output for DoRA, and the additional modules whole.

    Raises InputError lora_target_nothing for a target that is no module of the model.
    """
    from math import prod

    from studio.plugins.tuners import linears

    _refuse_strangers(facts, spec)
    total = 0
    for path, shape in linears(facts):
        if spec.lora_target in (["all"], ["all-linear"]) or any(f".{path}".endswith(f".{t}") for t in spec.lora_target):
            # GPT-2's layers are stored as (in, out); rank × sum is the same, DoRA's vector is not told apart here.
            total += spec.lora_rank * sum(shape) + (shape[0] if spec.use_dora else 0)
    for name, (shape, _) in facts.tensors.items():
        if any(f".{name}".rpartition(".")[0].endswith(f".{module}") for module in spec.additional_target):
            total += prod(shape)
    return total


def _refuse_strangers(facts: Any, spec: Any) -> None:
    """Look for each target among the modules that the weight files name; the engine looks again, at the model."""
    from studio.errors import InputError
    from studio.plugins.tuners import linears

    if spec.lora_target in (["all"], ["all-linear"]) or (spec.adapter_name_or_path and not spec.create_new_adapter):
        return
    modules = {f".{name}".rpartition(".")[0] for name in facts.tensors}
    for target in spec.lora_target:
        if not any(module.endswith(f".{target}") for module in modules):
            names = sorted({path.rpartition(".")[2] for path, _ in linears(facts)})
            raise InputError("lora_target_nothing", target=target, names=", ".join(names))


def attach(model: Any, job: Any) -> Any:
    """Put the matrices in place: fresh ones, or those of the last adapter in adapter_name_or_path.

    All adapters before the last are merged into the model first; with create_new_adapter the last one too.
    """
    from studio.engine import adapters
    from studio.engine.tuned import Tuned

    spec = job.spec
    given = [job.adapter_folder(name) for name in spec.adapter_name_or_path]
    merged, going_on = (given, None) if spec.create_new_adapter or not given else (given[:-1], given[-1])
    for folder in merged:
        adapters.load(folder, adapters.attach(model, adapters.read_shape(folder)))
        adapters.merge(model)
    shape = _fresh(model, job) if going_on is None else adapters.read_shape(going_on)
    weights = adapters.attach(model, shape)
    if going_on is not None:
        adapters.load(going_on, weights)
    weights = adapters.moving(model, shape)

    def save(folder: Path) -> None:
        adapters.save(folder, shape, weights)

    return Tuned(model, weights, save, lambda folder: adapters.load(folder, weights))


def _fresh(model: Any, job: Any) -> Any:
    """The shape of a new adapter; alpha is twice the rank unless it is given."""
    from studio.engine.adapters import Shape, linear_names

    spec = job.spec
    targets = spec.lora_target
    if targets in (["all"], ["all-linear"]):
        targets = sorted({name.rpartition(".")[2] for name in linear_names(model)})
    base = str(job.model_folder)
    return Shape(spec.lora_rank, spec.lora_alpha or 2 * spec.lora_rank, tuple(targets), spec.lora_dropout,
                 spec.use_rslora, spec.use_dora, tuple(spec.additional_target), base)
