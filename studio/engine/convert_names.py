"""The tensors of older adapters under today's names: PEFT before 0.3, and its LoRA on some of fused projections."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch

_ADAPTER = re.compile(r"\.(lora_(?:A|B|embedding_A|embedding_B|magnitude_vector))\.default(?=\.|$)")
ROOT = "base_model.model."


def today(found: Mapping[str, torch.Tensor], enabled: Sequence[bool] | None = None,
          ) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """(tensors, what was found out) of a file; a file without LoRA is left as it is.

    `enabled` says which parts of a fused projection an older LoRA changed (`enable_lora`); first and last of three are
    what PEFT before 0.3 did with a single fused module.
    """
    if not any(".lora_" in name for name in found):
        return dict(found), {}
    named = {(name if name.startswith(ROOT) else ROOT + name): value for name, value in
             ((_ADAPTER.sub(r".\1", name), value) for name, value in found.items())}
    ranks, widened = set(), 0
    for name in [name for name in named if name.endswith(".lora_A.weight")]:
        above = name.replace(".lora_A.", ".lora_B.")
        if above not in named:
            raise ValueError(above)
        if named[above].dim() == 3:
            named[above] = named[above].squeeze(-1)
        below, top = named[name], named[above]
        parts = below.shape[0] // top.shape[1]
        if parts > 1:
            named[above] = whole(top, parts, enabled or _usual(parts))
            widened = parts
        ranks.add(int(below.shape[0]))
    modules = sorted({name.rpartition(".lora_A.")[0].rpartition(".")[2] for name in named if ".lora_A." in name})
    return named, {"rank": ranks.pop() if len(ranks) == 1 else None, "modules": modules, "widened": widened}


def whole(top: torch.Tensor, parts: int, enabled: Sequence[bool]) -> torch.Tensor:
    """lora_B `(out of changed parts, r)` of a grouped LoRA as one `(out of all parts, parts · r)` of a plain one."""
    rank, each = top.shape[1], top.shape[0] // parts
    if sum(enabled) != parts:
        raise ValueError("enable_lora")
    made = torch.zeros(each * len(enabled), parts * rank, dtype=top.dtype)
    for number, place in enumerate(place for place, is_on in enumerate(enabled) if is_on):
        rows, columns = slice(place * each, (place + 1) * each), slice(number * rank, (number + 1) * rank)
        made[rows, columns] = top[number * each:(number + 1) * each]
    return made


def _usual(parts: int) -> tuple[bool, ...]:
    return (True, False, True) if parts == 2 else (True,) * parts
