"""Whether an adapter belongs to a model: told by the names and shapes in the headers of their files."""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from studio.chats.lanes import LORA_WEIGHTS
from studio.data import model

_PREFIX = "base_model.model."
_MOST_HEADER_BYTES = 100 << 20


def misfit(adapter: Path, base: Path) -> str | None:
    """The first weight of a LoRA that has no place in the model, with the shapes; None when all that is known fits.

    A module that the model's file names otherwise is let pass, unless all are. Raises what `model.inspect` raises.
    """
    shapes, tensors = _shapes(adapter / LORA_WEIGHTS), model.inspect(base, packed=True).tensors
    known = 0
    for name, below in shapes.items():
        module, found, above = name.removeprefix(_PREFIX), ".lora_A.weight", ".lora_B.weight"
        if not name.endswith(found) or name.replace(found, above) not in shapes:
            continue
        place = _place(module.removesuffix(found), tensors)
        if place is None:
            continue
        known += 1
        wanted = (shapes[name.replace(found, above)][0], below[-1])
        there, kind = tensors[place]
        if kind in model.TRAINABLE and len(there) == 2 and there not in (wanted, wanted[::-1]):
            return f"{place} {_spelled(there)} ≠ {_spelled(wanted)}"
    first = next((name for name in shapes if name.endswith(".lora_A.weight")), None)
    return None if known or first is None else first.removeprefix(_PREFIX)


def _place(module: str, tensors: Mapping[str, Any]) -> str | None:
    """The model's own name of a module's weight: families differ in what stands before the layers."""
    for name in (module, module.partition(".")[2], f"model.{module}", f"transformer.{module}"):
        if f"{name}.weight" in tensors:
            return f"{name}.weight"
    return None


def _spelled(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))


def _shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor in a safetensors file; nothing for what is none."""
    try:
        with open(path, "rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            header = json.loads(file.read(min(length, _MOST_HEADER_BYTES)))
        return {name: tuple(map(int, one["shape"])) for name, one in header.items() if name != "__metadata__"}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, struct.error):
        return {}
