"""Freeze tuning: a few whole layers move, the rest stays."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from studio.args.fields import Group, NameList, arg
from studio.errors import InputError

ORDER = 30


class Arguments(Group):
    """Which layers and modules move."""

    group = "freeze"
    tuners = ("freeze",)

    freeze_trainable_layers: int = arg(2, basic=True, aliases=("num_layer_trainable",))
    freeze_trainable_modules: NameList = arg(["all"], aliases=("name_module_trainable",))
    freeze_extra_modules: NameList = arg([])


def chosen(names: Iterable[str], layers: int, spec: Any) -> list[str]:
    """The weights that move: in the last n layers (the first ones when n is negative) those of the named modules,
    and outside of the layers the extra modules.

    Raises InputError freeze_layers_many, freeze_module_nothing.
    """
    from studio.plugins.tuners import block

    names = list(names)
    wanted = spec.freeze_trainable_layers
    if abs(wanted) > layers:
        raise InputError("freeze_layers_many", value=wanted, layers=layers)
    numbers = range(layers - wanted, layers) if wanted > 0 else range(-wanted)
    inside = [name for name in names if block(name) is not None]
    outside = [name for name in names if block(name) is None]
    moving = [name for name in inside if block(name) in numbers]
    if spec.freeze_trainable_modules != ["all"]:
        moving = _having(moving, spec.freeze_trainable_modules)
    return moving + _having(outside, spec.freeze_extra_modules)


def _having(names: list[str], modules: list[str]) -> list[str]:
    """The weights below modules of these names; every name must be found."""
    for module in modules:
        if not any(_below(name, module) for name in names):
            there = sorted({part for name in names for part in name.split(".")[:-1] if not part.isdigit()})
            raise InputError("freeze_module_nothing", name=module, names=", ".join(there))
    return [name for name in names if any(_below(name, module) for module in modules)]


def _below(name: str, module: str) -> bool:
    return f".{module}." in f".{name}"


def trainable(facts: Any, spec: Any) -> int:
    """The numbers in the chosen layers and modules."""
    from studio.plugins.tuners import count, distinct

    shapes = distinct(facts)
    return count([shapes[name] for name in chosen(shapes, facts.layers, spec)])


def attach(model: Any, job: Any) -> Any:
    """Let the chosen weights move."""
    from studio.engine import whole
    from studio.engine.loading import block_list

    moving = set(chosen([name for name, _ in model.named_parameters()], len(block_list(model)[1]), job.spec))
    for name, p in model.named_parameters():
        p.requires_grad_(name in moving)
    return whole.tuned(model, job.model_folder)
