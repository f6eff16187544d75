"""Tensors in safetensors files, read by blocks of rows; nothing is mapped into memory."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path

import numpy as np

from studio.errors import InputError
from studio.exports.weights import numbers

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
BLOCK = 1 << 18  # numbers: what is worked on stays in a processor's second cache


@dataclass(frozen=True)
class Tensor:
    """One tensor in a file: `start` is where its bytes begin."""

    path: Path
    start: int
    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        """Its size in the file."""
        return prod(self.shape) * numbers.size(self.dtype)

    def stored(self, first: int, last: int) -> np.ndarray:
        """The rows [first, last) as they are stored; a tensor without rows is one row."""
        return self._into(np.empty(self._part(first, last), numbers.storage(self.dtype)), first)

    def floats(self, first: int, last: int) -> np.ndarray:
        """The rows [first, last) as float32, an array of its own."""
        if self.dtype == "F32":
            return self.stored(first, last)
        used = numbers.scratch.array("read", self._part(first, last), numbers.storage(self.dtype))
        return numbers.floats(self._into(used, first), self.dtype)

    def _part(self, first: int, last: int) -> tuple[int, ...]:
        return (last - first, *self.shape[1:]) if self.shape else ()

    def _into(self, found: np.ndarray, first: int) -> np.ndarray:
        """Fill an array with the numbers from a row on."""
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self.start + first * prod(self.shape[1:]) * found.itemsize)
            left = memoryview(found.reshape(-1)).cast("B") if found.size else memoryview(b"")
            while left:
                count = file.readinto(left)
                if not count:
                    raise InputError("model_truncated", path=str(self.path), found=file.tell(),
                                     value=self.start + self.bytes)
                left = left[count:]
        return found

    def whole(self) -> np.ndarray:
        """All of it as float32."""
        return self.floats(0, height(self.shape))


def height(shape: tuple[int, ...]) -> int:
    """How many rows a shape has; a single number is a row."""
    return shape[0] if shape else 1


def spans(shape: tuple[int, ...], most: int = BLOCK) -> Iterator[tuple[int, int]]:
    """[first, last) of blocks of whole rows with at most `most` numbers, but at least a row, each."""
    rows = height(shape)
    step = max(1, most // max(1, prod(shape[1:])))
    for first in range(0, rows, step):
        yield first, min(rows, first + step)


def tensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file in the order of their bytes; raises InputError model_weights_broken, file_unreadable."""
    try:
        with open(path, "rb") as file:
            length = struct.unpack("<Q", file.read(8))[0]
            if length > path.stat().st_size:
                raise InputError("model_truncated", path=str(path), found=path.stat().st_size, value=length + 8)
            header = json.loads(file.read(length))
        header.pop("__metadata__", None)
        found = {name: Tensor(path, 8 + length + int(one["data_offsets"][0]), tuple(map(int, one["shape"])),
                              str(one["dtype"])) for name, one in header.items()}
    except OSError as error:
        raise InputError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    except (ValueError, TypeError, KeyError, IndexError, AttributeError, struct.error) as error:
        raise InputError("model_weights_broken", path=str(path), reason=str(error)) from error
    for tensor in found.values():
        if tensor.start + tensor.bytes > path.stat().st_size:
            raise InputError("model_truncated", path=str(path), found=path.stat().st_size,
                             value=tensor.start + tensor.bytes)
    return dict(sorted(found.items(), key=lambda item: (item[1].start, item[0])))


def of_model(folder: Path) -> dict[str, Tensor]:
    """The tensors of a model's folder, from the files that its loader would choose.

    Raises InputError model_no_weights, model_shard_missing and what `tensors` raises.
    """
    index = folder / INDEX
    if (folder / SINGLE).is_file():
        return tensors(folder / SINGLE)
    if index.is_file():
        named = _weight_map(index)
        paths = [folder / name for name in dict.fromkeys(named.values())]
    else:
        paths = sorted(path for path in folder.glob("*.safetensors") if not path.name.startswith("adapter"))
    if not paths:
        raise InputError("model_no_weights", path=str(folder))
    for path in paths:
        if not path.is_file():
            raise InputError("model_shard_missing", path=str(folder), file=path.name)
    return {name: one for path in sorted(paths) for name, one in tensors(path).items()}


def _weight_map(index: Path) -> dict[str, str]:
    try:
        return {str(name): str(file) for name, file in json.loads(index.read_bytes())["weight_map"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError("model_config_broken", path=str(index), reason=str(error)) from error
