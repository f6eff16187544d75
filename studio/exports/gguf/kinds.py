"""The types of GGUF: which each tensor gets under a file's type, and what that takes on disk.

Plain types are written here with the gguf package; the K-types are llama.cpp's own work, and its rules for them are
told here only so far as the size of the file needs it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

from studio.exports.gguf.family import Item
from studio.exports.gguf.layout import EMBEDDING, OUTPUT, Layout

# numbers in a block and its bytes, as ggml lays them out
_BLOCKS = MappingProxyType({
    "F32": (1, 4), "F16": (1, 2), "BF16": (1, 2), "Q8_0": (32, 34), "Q4_0": (32, 18), "Q4_1": (32, 20),
    "Q5_0": (32, 22), "Q5_1": (32, 24), "Q2_K": (256, 84), "Q3_K": (256, 110), "Q4_K": (256, 144), "Q5_K": (256, 176),
    "Q6_K": (256, 210)})
_NARROWER = MappingProxyType({"Q2_K": "Q4_0", "Q3_K": "Q4_0", "Q4_K": "Q5_0", "Q5_K": "Q5_1", "Q6_K": "Q8_0"})
_ALIGNMENT = 32


@dataclass(frozen=True)
class Kind:
    """A type of a file: `ftype` is llama.cpp's number for it, `base` the type of most of its tensors."""

    name: str
    ftype: int
    base: str

    @property
    def own(self) -> bool:
        """Whether the gguf package can make it; the others need llama.cpp."""
        return not self.base.endswith("_K")


KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in (
    Kind("f32", 0, "F32"), Kind("f16", 1, "F16"), Kind("bf16", 32, "BF16"), Kind("q8_0", 7, "Q8_0"),
    Kind("q6_k", 18, "Q6_K"), Kind("q5_k_m", 17, "Q5_K"), Kind("q5_k_s", 16, "Q5_K"), Kind("q5_1", 9, "Q5_1"),
    Kind("q5_0", 8, "Q5_0"), Kind("q4_k_m", 15, "Q4_K"), Kind("q4_k_s", 14, "Q4_K"), Kind("q4_1", 3, "Q4_1"),
    Kind("q4_0", 2, "Q4_0"), Kind("q3_k_l", 13, "Q3_K"), Kind("q3_k_m", 12, "Q3_K"), Kind("q3_k_s", 11, "Q3_K"),
    Kind("q2_k", 10, "Q2_K"))})


def kept(item: Item) -> bool:
    """Whether a tensor stays float32 in every type: vectors, norms and positions."""
    return len(item.shape) < 2 or "_norm" in item.name or item.name == "position_embd.weight"


def own_type(kind: Kind, item: Item, found: Layout) -> str:
    """The type of a tensor that is written here; what gives the logits gets 8 bits in the narrower types."""
    if kept(item):
        return "F32"
    gives_logits = item.name == OUTPUT or (item.name == EMBEDDING and found.tied)
    wanted = "Q8_0" if gives_logits and kind.base.startswith(("Q4", "Q5")) else kind.base
    return wanted if item.shape[-1] % _BLOCKS[wanted][0] == 0 else "F16"


def size(kind: Kind, found: Layout) -> int:
    """Bytes of all tensors under a file's type, each padded as the file pads them."""
    total = 0
    seen: dict[str, int] = {}
    for item in sorted(found.items, key=_layer):
        width, per_block = _BLOCKS[own_type(kind, item, found) if kind.own else _k_type(kind, item, found, seen)]
        total += -(-prod(item.shape) // width * per_block // _ALIGNMENT) * _ALIGNMENT
    return total


def _layer(item: Item) -> int:
    found = re.match(r"blk\.(\d+)\.", item.name)
    return int(found[1]) if found else -1


def _k_type(kind: Kind, item: Item, found: Layout, seen: dict[str, int]) -> str:
    """About the type that llama.cpp gives a tensor: more bits for values, the way down and the outermost layers."""
    if kept(item):
        return "F32"
    wanted = kind.base
    part = next((one for one in ("attn_v", "ffn_down", "attn_output", "attn_qkv") if f".{one}." in item.name), "")
    place = seen.get(part, 0)
    seen[part] = place + 1
    if item.name == OUTPUT or (item.name == EMBEDDING and found.tied):
        wanted = "Q6_K" if item.shape[-1] % 256 == 0 else "Q8_0"
    else:
        wanted = _more(kind.name, part, place, found.blocks) or wanted
    if item.shape[-1] % _BLOCKS[wanted][0]:
        wanted = _NARROWER.get(wanted, wanted)
    return wanted if item.shape[-1] % _BLOCKS[wanted][0] == 0 else "F16"


def _more(name: str, part: str, place: int, layers: int) -> str | None:
    """The type of a part where it is not the file's own."""
    early = layers // 8
    outer = place < early or place >= 7 * layers // 8 or (place - early) % 3 == 2
    wide: dict[str, dict[str, str | None]] = {
        "q2_k": {"attn_v": "Q3_K", "ffn_down": "Q3_K", "attn_output": "Q3_K"},
        "q3_k_m": {"attn_v": "Q5_K" if place < 2 else "Q4_K", "ffn_down": "Q5_K" if place < layers // 16 else "Q4_K",
                   "attn_output": "Q4_K", "attn_qkv": "Q4_K"},
        "q3_k_l": {"attn_v": "Q5_K", "ffn_down": "Q5_K", "attn_output": "Q5_K", "attn_qkv": "Q4_K"},
        "q4_k_s": {"attn_v": "Q5_K" if place < 4 else None, "ffn_down": "Q5_K" if place < early else None},
        "q4_k_m": {"attn_v": "Q6_K" if outer else None, "ffn_down": "Q6_K" if outer else None, "attn_qkv": "Q5_K"},
        "q5_k_m": {"attn_v": "Q6_K" if outer else None, "ffn_down": "Q6_K" if outer else None, "attn_qkv": "Q6_K"},
    }
    return wide.get(name, {}).get(part)
