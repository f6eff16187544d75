"""A GGUF file written a block of rows at a time, with the gguf package's writer for everything before the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from studio.exports.gguf import kinds
from studio.exports.gguf.family import Item
from studio.exports.gguf.kinds import Kind
from studio.exports.gguf.layout import Layout
from studio.exports.gguf.vocabulary import Vocabulary

_ROWS = 1 << 18  # numbers that are quantized at once


def write(stream: Any, found: Layout, words: Vocabulary, kind: Kind, path: Path, about: dict[str, str],
          tell: Callable[[int, int, str], None], stay: Callable[[], None]) -> None:
    """Write the model that `stream` gives in float32 as one file of a type that this package can make.

    `about` holds general keys such as name and licence. Raises what `stream` and `stay` raise.
    """
    import gguf

    made = gguf.GGUFWriter(None, found.arch)
    made.add_type(gguf.GGUFType.MODEL)
    for name, value in about.items():
        made.add_string(f"general.{name}", value)
    made.add_file_type(kind.ftype)
    if kind.base.startswith("Q"):
        made.add_quantization_version(gguf.GGML_QUANT_VERSION)
    for name, value in found.facts.items():
        _add(made, f"{found.arch}.{name}", value)
    words.add(made)
    types = {item.name: kinds.own_type(kind, item, found) for item in found.items}
    for item in found.items:
        one = gguf.GGMLQuantizationType[types[item.name]]
        width, per_block = gguf.GGML_QUANT_SIZES[one]
        made.add_tensor_info(item.name, item.shape, np.dtype(np.float32), prod(item.shape) // width * per_block, one)
    made.write_header_to_file(path)
    made.write_kv_data_to_file()
    made.write_ti_data_to_file()
    try:
        _tensors(made, stream, found, types, tell, stay)
    finally:
        made.close()


def _tensors(made: Any, stream: Any, found: Layout, types: dict[str, str], tell: Callable[[int, int, str], None],
             stay: Callable[[], None]) -> None:
    import gguf

    out, total = made.fout[0], len(found.items)
    made.write_padding(out, out.tell())
    for number, item in enumerate(found.items):
        written = 0
        for block in _blocks(stream, item):
            stay()
            bits = gguf.quants.quantize(block, gguf.GGMLQuantizationType[types[item.name]])
            out.write(np.ascontiguousarray(bits).data)
            written += bits.nbytes
        made.write_padding(out, written)
        tell(number + 1, total, item.name)


def _blocks(stream: Any, item: Item) -> Iterator[np.ndarray]:
    """The tensor's rows as float32, a few at a time; whole ones only where the family changes them."""
    if item.change is None:
        for block in stream.blocks(item.of[0]):
            yield from _cut(np.asarray(block, np.float32))
    else:
        whole = np.asarray(item.change([np.asarray(stream.read(one), np.float32) for one in item.of]), np.float32)
        yield from _cut(whole)


def _cut(rows: np.ndarray) -> Iterator[np.ndarray]:
    step = max(1, _ROWS // max(1, prod(rows.shape[1:])))
    for first in range(0, len(rows), step):
        yield rows[first:first + step]


def _add(made: Any, key: str, value: Any) -> None:
    """One key with the type that the format has for such a value."""
    if isinstance(value, bool):
        made.add_bool(key, value)
    elif isinstance(value, int):
        made.add_uint32(key, value)
    elif isinstance(value, float):
        made.add_float32(key, value)
    elif isinstance(value, str):
        made.add_string(key, value)
    else:
        made.add_array(key, value)
