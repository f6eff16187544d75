"""float32, float16 and bfloat16 in numpy, where bfloat16 is uint16: the upper half of a float32."""

from __future__ import annotations

import numpy as np

WORDS = {"fp32": "F32", "fp16": "F16", "bf16": "BF16"}
NAMES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16"}
FLOATS = tuple(NAMES)
LARGEST_HALF = 65504.0
_TYPES = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I64": np.int64, "I32": np.int32,
          "I16": np.int16, "I8": np.int8, "U64": np.uint64, "U32": np.uint32, "U16": np.uint16, "U8": np.uint8,
          "BOOL": np.bool_, "F8_E4M3": np.uint8, "F8_E5M2": np.uint8}


def storage(dtype: str) -> np.dtype:
    """How numpy holds numbers that safetensors calls `dtype`; bfloat16 as uint16."""
    return np.dtype(_TYPES[dtype])


def size(dtype: str) -> int:
    """Bytes of one number."""
    return storage(dtype).itemsize


def floats(stored: np.ndarray, dtype: str) -> np.ndarray:
    """Stored numbers as float32, always an array of its own."""
    if dtype != "BF16":
        return stored.astype(np.float32)
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
    odd = bits >> np.uint32(16)
    odd &= np.uint32(1)
    odd += np.uint32(0x7FFF)
    bits += odd
    return bits.view(np.uint16).reshape(*bits.shape[:-1], -1)[..., 1::2] if bits.ndim else \
        (bits >> np.uint32(16)).astype(np.uint16)


def rounded(values: np.ndarray, dtype: str) -> np.ndarray:
    """float32 with the precision of `dtype`."""
    return values if dtype == "F32" else floats(narrowed(values, dtype), dtype)
