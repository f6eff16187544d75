"""safetensors files of a chosen size, tensor by tensor: headers known beforehand, untouched numbers copied as bytes."""

from __future__ import annotations

import errno
import json
import os
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from studio.errors import InputError, WorkError
from studio.exports.weights import numbers
from studio.exports.weights.files import INDEX, SINGLE, Tensor
from studio.exports.weights.stream import Planned, Stream
from studio.exports.work import Work

WEIGHTS = "model-{number:05d}-of-{count:05d}.safetensors"
_COPIED, _READ = 8 << 20, 1 << 20
_NOTHING = np.empty(0, np.uint8)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write(made: Stream, into: Path, size_gb: float, work: Work) -> list[Path]:
    """Write config.json and the weights into an empty folder; the files written.

    Raises StopAsked, WorkError export_not_finite, export_overflow, disk_full.
    """
    shards = _shards(made.planned, int(size_gb * 1e9))
    names = [SINGLE] if len(shards) == 1 else [
        WEIGHTS.format(number=number, count=len(shards)) for number in range(1, len(shards) + 1)]
    done, total = 0, made.bytes
    for file, shard in zip(names, shards, strict=True):
        with _room_for(work.target), open(into / file, "wb", buffering=0) as out:
            put(out, np.frombuffer(_header({name: made.planned[name] for name in shard}), np.uint8))
            for name in shard:
                work.tell(done, total, name)
                taken = made.copied(name)
                for block in made.stored(name) if taken is None else _copied(taken, out):
                    work.stay()
                    put(out, block)
                done += made.planned[name].bytes
    work.tell(total, total, "")
    if len(shards) > 1:
        index = {"metadata": {"total_size": total, "total_parameters": made.parameters},
                 "weight_map": {name: file for file, shard in zip(names, shards, strict=True) for name in shard}}
        _write_json(into / INDEX, index)
    _write_json(into / "config.json", made.config)
    return [into / name for name in names]


@contextmanager
def _room_for(target: Path) -> Iterator[None]:
    """Say what could not be written when the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise WorkError("disk_full", path=str(target)) from error
        raise


def write_file(path: Path, planned: Mapping[str, Planned],
               stored: Callable[[str], Iterable[np.ndarray]]) -> Iterator[str]:
    """Write one safetensors file; each tensor's name when it is written."""
    with open(path, "wb", buffering=0) as out:
        put(out, np.frombuffer(_header(planned), np.uint8))
        for name in planned:
            for block in stored(name):
                put(out, block)
            yield name


def _shards(planned: Mapping[str, Planned], most: int) -> list[list[str]]:
    """The tensors by file, in order; one that is larger than a file may be has one of its own."""
    found: list[list[str]] = [[]]
    held = 0
    for name, one in planned.items():
        if found[-1] and held + one.bytes > most:
            found.append([])
            held = 0
        found[-1].append(name)
        held += one.bytes
    return found


def _header(planned: Mapping[str, Planned]) -> bytes:
    about: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, one in planned.items():
        about[name] = {"dtype": one.dtype, "shape": list(one.shape), "data_offsets": [at, at + one.bytes]}
        at += one.bytes
    text = json.dumps(about, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def put(out: Any, block: np.ndarray) -> None:
    """Write all of an array to an unbuffered file."""
    if not block.flags.c_contiguous:
        whole = numbers.scratch.array("put", block.shape, block.dtype)
        whole[...] = block
        block = whole
    left = memoryview(block.reshape(-1)).cast("B") if block.size else memoryview(b"")
    while left:
        left = left[out.write(left):]


def _copied(tensor: Tensor, out: Any) -> Iterator[np.ndarray]:
    """Have the kernel copy a tensor's bytes from file to file, some at a time; what it cannot is yielded instead."""
    with open(tensor.path, "rb", buffering=0) as file:
        at, end = tensor.start, tensor.start + tensor.bytes
        while at < end and (count := _by_kernel(file, out, at, min(_COPIED, end - at))):
            at += count
            yield _NOTHING
        file.seek(at)
        while at < end:
            block = file.read(min(_READ, end - at))
            if not block:
                raise InputError("model_truncated", path=str(tensor.path), found=at, value=end)
            at += len(block)
            yield np.frombuffer(block, np.uint8)


def _by_kernel(file: Any, out: Any, at: int, count: int) -> int:
    """How many bytes the kernel copied; 0 where it does not do that here."""
    if not hasattr(os, "copy_file_range"):
        return 0
    try:
        return os.copy_file_range(file.fileno(), out.fileno(), count, at)
    except OSError as error:
        if error.errno in _FULL:
            raise
        return 0


def _write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
