"""bitsandbytes' 4- and 8-bit tensors as ordinary numbers, and what such a quantization would do to a tensor.

The format is what transformers saves: LLM.int8 has a row's largest number in `SCB`; NF4 and FP4 have two numbers in a
byte, the first in its upper half, and the largest number of each block in `absmax`, which may be quantized itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from studio.exports.weights import numbers
from studio.exports.weights.files import Tensor

_STATE = ".quant_state.bitsandbytes__"
_SAVED = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}
NF4 = np.array([-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
                -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725,
                0.24611230194568634, 0.33791524171829224, 0.44070982933044434, 0.5626170039176941,
                0.7229568362236023, 1.0], np.float32)
_BLOCK = 64


@dataclass(frozen=True)
class Bytes:
    """An 8-bit tensor: whole numbers, and for each row what 127 means."""

    numbers: Tensor
    scales: Tensor
    dtype: str = "F32"
    bits: int = 8

    @property
    def shape(self) -> tuple[int, ...]:
        """(out, in)."""
        return self.numbers.shape

    def floats(self, first: int, last: int) -> np.ndarray:
        """The rows [first, last)."""
        found = self.numbers.stored(first, last).astype(np.float32)
        found *= (self.scales.floats(first, last) / np.float32(127))[:, None]
        return found

    stored = floats


@dataclass(frozen=True)
class Nibbles:
    """A 4-bit tensor."""

    packed: Tensor
    absmax: Tensor
    codes: Tensor
    about: Mapping[str, Any]
    nested_absmax: Tensor | None = None
    nested_codes: Tensor | None = None
    dtype: str = "F32"
    bits: int = 4

    @property
    def shape(self) -> tuple[int, ...]:
        """(out, in)."""
        return tuple(map(int, self.about["shape"]))

    @cached_property
    def _scales(self) -> np.ndarray:
        """The largest number of each block."""
        if self.nested_absmax is None or self.nested_codes is None:
            return self.absmax.whole().reshape(-1)
        codes, outer = self.nested_codes.whole(), self.nested_absmax.whole()
        inner = codes[self.absmax.stored(0, self.absmax.shape[0]).reshape(-1)]
        inner *= np.repeat(outer, int(self.about["nested_blocksize"]))[:len(inner)]
        return inner + np.float32(self.about["nested_offset"])

    def floats(self, first: int, last: int) -> np.ndarray:
        """The rows [first, last), as they are in the numbers that the model computes in."""
        wide, block = prod(self.shape[1:]), int(self.about["blocksize"])
        begin, end = first * wide, last * wide
        pairs = self.packed.stored(begin // 2, (end + 1) // 2).reshape(-1)
        found = np.empty(2 * len(pairs), np.float32)
        codes = self.codes.whole()
        found[0::2] = codes[pairs >> 4]
        found[1::2] = codes[pairs & 15]
        found = found[begin % 2:begin % 2 + end - begin]
        blocks = self._scales[begin // block:(end - 1) // block + 1]
        found *= np.repeat(blocks, block)[begin % block:begin % block + end - begin]
        kind = _SAVED.get(str(self.about.get("dtype")), "F32")
        return numbers.rounded(found, kind).reshape(last - first, *self.shape[1:])

    stored = floats


def opened(tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """The tensors with every quantized one in the place of the parts that it is stored in."""
    found: dict[str, Any] = {}
    for name, tensor in tensors.items():
        state = next((one for one in tensors if one.startswith(name + _STATE)), None) if tensor.dtype == "U8" else None
        if state is not None:
            about = json.loads(tensors[state].stored(0, tensors[state].shape[0]).tobytes())
            inner = (tensors.get(f"{name}.nested_absmax"), tensors.get(f"{name}.nested_quant_map"))
            found[name] = Nibbles(tensor, tensors[f"{name}.absmax"], tensors[f"{name}.quant_map"], about, *inner)
        elif tensor.dtype == "I8" and (scales := tensors.get(name.removesuffix("weight") + "SCB")) is not None:
            found[name] = Bytes(tensor, scales)
        elif not _is_part(name, tensors):
            found[name] = tensor
    return found


def _is_part(name: str, tensors: Mapping[str, Tensor]) -> bool:
    owner, _, last = name.rpartition(".")
    if last in ("SCB", "weight_format"):
        return f"{owner}.weight" in tensors
    return _STATE in name or (last in ("absmax", "quant_map", "nested_absmax", "nested_quant_map") and owner in tensors)


def loss(values: np.ndarray, bits: int) -> tuple[float, float]:
    """(sum of squared errors, sum of squares) of float32 rows when they are quantized to 8 bits a row or to NF4."""
    if bits == 8:
        scale = np.abs(values).max(axis=-1, keepdims=True) / np.float32(127)
        back = np.rint(values / np.where(scale == 0, 1, scale)) * scale
    else:
        blocks = values.reshape(-1)[:values.size // _BLOCK * _BLOCK].reshape(-1, _BLOCK)
        scale = np.abs(blocks).max(axis=1, keepdims=True)
        places = np.searchsorted((NF4[1:] + NF4[:-1]) / 2, blocks / np.where(scale == 0, 1, scale))
        values, back = blocks, NF4[places] * scale
    error = values - back
    return float(np.vdot(error, error)), float(np.vdot(values, values))
