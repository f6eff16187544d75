"""Freeze tuning: a few whole layers move, the rest stays."""

from __future__ import annotations

from studio.args.fields import Group, NameList, arg

ORDER = 30


class Arguments(Group):
    """Which layers and modules move."""

    group = "freeze"
    tuners = ("freeze",)

    freeze_trainable_layers: int = arg(2, basic=True, aliases=("num_layer_trainable",))
    freeze_trainable_modules: NameList = arg(["all"], aliases=("name_module_trainable",))
    freeze_extra_modules: NameList = arg([])
