"""What a GGUF file of a model holds: its architecture, keys and tensors, from the names and shapes alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType
from typing import Any

from studio.errors import InputError
from studio.exports.gguf import gemma, glm, gpt, llama, qwen
from studio.exports.gguf.family import ACTIVATIONS, Family, Item, Shape, figure, said

FAMILIES: Mapping[str, Family] = MappingProxyType(
    llama.FAMILIES | qwen.FAMILIES | gemma.FAMILIES | glm.FAMILIES | gpt.FAMILIES)
EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"
_SUFFIXES = (".weight", ".bias")
_BUFFERS = re.compile(r"(\.attn\.(attention\.)?(masked_)?bias|\.rotary_(pos_)?emb\.inv_freq|\.attention\.bias)$")


@dataclass(frozen=True)
class Layout:
    """`facts` are the keys below the architecture's name; `items` the tensors in the order of the file."""

    arch: str
    facts: Mapping[str, Any]
    items: tuple[Item, ...]
    blocks: int
    tied: bool

    @property
    def vocabulary(self) -> int:
        """How many rows the embedding has: so many tokens must be named."""
        return next(item.shape[0] for item in self.items if item.name == EMBEDDING)


def family(config: Mapping[str, Any]) -> Family:
    """The family of a configuration; raises InputError gguf_family, gguf_unlike."""
    kind = str(config.get("model_type"))
    found = FAMILIES.get(kind)
    if found is None:
        raise InputError("gguf_family", value=kind, known=sorted(FAMILIES))
    unlike = found.refuse(config)
    act = said(config, "hidden_act")
    if unlike is None and act is not None and act not in ACTIVATIONS[found.activation]:
        unlike = f"hidden_act {act}"
    if unlike is not None:
        raise InputError("gguf_unlike", value=kind, reason=unlike)
    return found


def layout(config: Mapping[str, Any], shapes: Mapping[str, Shape]) -> Layout:
    """The layout of a model with this configuration and these tensors.

    Raises InputError gguf_family, gguf_unlike, gguf_config, gguf_tensor.
    """
    found = family(config)
    blocks = figure(config, "num_hidden_layers")
    extra = tuple(found.extra(config, shapes))
    used = {source for item in extra for source in item.of}
    items = [_item(found, config, blocks, name, shape) for name, shape in shapes.items()
             if name not in used and not _BUFFERS.search(name)]
    tied = all(item.name != OUTPUT for item in items)
    if tied and not found.tied:  # this architecture has no tensor that stands for both
        both = next(item for item in items if item.name == EMBEDDING)
        items.append(Item(OUTPUT, both.shape, both.of, both.change))
    return Layout(found.arch, found.facts(config), (*items, *extra), blocks, tied and found.tied)


def _item(found: Family, config: Mapping[str, Any], blocks: int, source: str, shape: Shape) -> Item:
    name = _named(found.arch, blocks).get_name(found.rename(source), _SUFFIXES)
    if name is None:
        raise InputError("gguf_tensor", name=source, value=str(config.get("model_type")))
    if source.endswith(_SUFFIXES) and not name.endswith(_SUFFIXES):
        name += source[source.rindex("."):]
    change = found.changes(name, config)
    return Item(name, _shape(change, shape, name, config, found), (source,), change)


def _shape(change: Any, shape: Shape, name: str, config: Mapping[str, Any], found: Family) -> Shape:
    """The shape after the change: only transposing and cutting a position table alter it."""
    from studio.exports.gguf.family import transposed

    if change is transposed:
        return shape[::-1]
    if change is not None and name == "position_embd.weight":
        return (min(shape[0], int(found.facts(config)["context_length"])), *shape[1:])
    return shape


def _named(arch: str, blocks: int) -> Any:
    """The gguf package's table of tensor names."""
    import gguf

    place = next(one for one, name in gguf.MODEL_ARCH_NAMES.items() if name == arch)
    return gguf.get_tensor_name_map(place, blocks)


def numbers(items: tuple[Item, ...]) -> int:
    """How many weights the tensors hold together."""
    return sum(prod(item.shape) for item in items)
