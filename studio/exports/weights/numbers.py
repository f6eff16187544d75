"""float32, float16 and bfloat16 in numpy, where bfloat16 is uint16: the upper half of a float32."""

from __future__ import annotations

import threading

import numpy as np

WORDS = {"fp32": "F32", "fp16": "F16", "bf16": "BF16"}
NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
FLOATS = tuple(NAMES)
LARGEST_HALF = 65504.0
_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64, "I32": np.int32,
          "I16": np.int16, "I8": np.int8, "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8,
          "BOOL": np.bool_, "F8_E4M3": np.uint8, "F8_E5M2": np.uint8}


class _Scratch(threading.local):
    """Memory that is used again for what does not outlive a step: asking the system for it anew costs more than the
    arithmetic on it."""

    _LARGEST = 4 << 20

    def __init__(self) -> None:
        self._kept: dict[str, np.ndarray] = {}

    def array(self, use: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """An array with anything in it, valid until the next call for the same use."""
        size = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        if size > self._LARGEST:
            return np.empty(shape, dtype)
        if use not in self._kept or len(self._kept[use]) < size:
            self._kept[use] = np.empty(size, np.uint8)
        return self._kept[use][:size].view(dtype).reshape(shape)


scratch = _Scratch()


def storage(dtype: str) -> np.dtype:
    """How numpy holds numbers that safetensors calls `dtype`; bfloat16 as uint16."""
    return np.dtype(_TYPES[dtype])


def size(dtype: str) -> int:
    """Bytes of one number."""
    return storage(dtype).itemsize


def floats(stored: np.ndarray, dtype: str) -> np.ndarray:
    """Stored numbers as float32; an array of its own unless they are float32."""
    if dtype != "BF16":
        return stored.astype(np.float32, copy=False)
    wide = np.empty(stored.shape, np.uint32)
    np.left_shift(stored, np.uint32(16), out=wide, dtype=np.uint32)
    return wide.view(np.float32)


def narrowed(values: np.ndarray, dtype: str) -> np.ndarray:
    """float32 as it is stored in `dtype`, rounded to the nearest, ties to even; `values` is used up for BF16.

    NaN must not be among the numbers of BF16.
    """
    if dtype != "BF16":
        return values.astype(storage(dtype), copy=False)
    bits = np.ascontiguousarray(values).view(np.uint32)
    odd = scratch.array("odd", bits.shape, bits.dtype)
    np.right_shift(bits, np.uint32(16), out=odd)
    odd &= np.uint32(1)
    odd += np.uint32(0x7FFF)
    bits += odd
    return bits.view(np.uint16).reshape(*bits.shape[:-1], -1)[..., 1::2] if bits.ndim else \
        (bits >> np.uint32(16)).astype(np.uint16)


def rounded(values: np.ndarray, dtype: str) -> np.ndarray:
    """float32 with the precision of `dtype`."""
    return values if dtype == "F32" else floats(narrowed(values, dtype), dtype)
