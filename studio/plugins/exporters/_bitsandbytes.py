"""bitsandbytes' 8- and 4-bit weights written tensor by tensor, byte for byte as transformers saves them.

The model itself is only built without numbers, to learn which of its tensors are linear layers.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Any, BinaryIO

from studio.errors import InputError

BLOCK = 64
SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"
SHARD = "model-{number:05d}-of-{count:05d}.safetensors"
_WORDS = {"torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16", "torch.uint8": "U8",
          "torch.int8": "I8", "torch.int64": "I64"}
_COPIED = 1 << 22


def write(stream: Any, bits: int, work: Any) -> None:
    """Write config.json and the weights of a stream into `work.into`.

    Raises StopAsked, InputError quantized_family, quantized_sizes.
    """
    about, linears = _plan(stream, bits, work.into)
    shards = _Shards(work.into, int(work.spec.export_size * 1e9))
    done, total = 0, stream.bytes
    for name, planned in stream.planned.items():
        work.stay()
        work.tell(done, total, name)
        if name in linears:
            shards.put(_quantized(name, stream, bits, linears[name]))
        else:
            shards.stream(name, planned, stream.stored(name), work.stay)
        done += planned.bytes
    shards.finish()
    config = {**stream.config, "quantization_config": about}
    (work.into / "config.json").write_text(json.dumps(config, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    work.tell(total, total, "")


def settings(bits: int, compute: str, kept: list[str] | None = None) -> Any:
    """How such weights are loaded; `kept` are layers beyond the usual ones that stay as they are."""
    from transformers import BitsAndBytesConfig

    if bits == 8:
        return BitsAndBytesConfig(load_in_8bit=True, llm_int8_skip_modules=kept)
    return BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_use_double_quant=True,
                              bnb_4bit_compute_dtype=compute, llm_int8_skip_modules=kept)


def bytes_of(planned: Mapping[str, Any], bits: int) -> int:
    """About the bytes of the result: matrices of layers in so many bits with their scales, all else as it is."""
    per = bits / 8 + (4 / 4096 if bits == 8 else 1 / BLOCK + 4 / (BLOCK * 256))
    return int(sum(prod(one.shape) * per if is_of_a_layer(name, one) and (bits == 8 or _fits(*one.shape))
                   else one.bytes for name, one in planned.items()))


def is_of_a_layer(name: str, planned: Any) -> bool:
    """Whether a tensor looks like the weight of a linear layer inside the model."""
    return len(planned.shape) == 2 and any(part.isdigit() for part in name.split(".")) and name.endswith(".weight")


def _fits(outputs: int, inputs: int) -> bool:
    """Whether a CPU can compute with the layer in 4 bits: on newer ones bitsandbytes repacks it in blocks."""
    return outputs % 32 == 0 and inputs % BLOCK == 0


def _plan(stream: Any, bits: int, folder: Path) -> tuple[dict[str, Any], dict[str, bool]]:
    """What config.json says, and the tensors that are quantized with whether each is stored transposed.

    Raises InputError quantized_family where a layer's weights are stored under other names, quantized_sizes where no
    layer can be quantized.
    """
    from transformers.quantizers.auto import AutoHfQuantizer

    compute = {"BF16": "bfloat16", "F16": "float16"}.get(stream.dtype, "float32")
    model = _without_numbers(stream, folder)
    quantizer = AutoHfQuantizer.from_config(settings(bits, compute), pre_quantized=False)
    kept = list(quantizer.get_modules_to_not_convert(model, None, getattr(model, "_keep_in_fp32_modules", None)))
    usual = _linears(model, kept)
    odd = [name for name, module in usual.items() if bits == 4 and not _fits(*_sizes(module))]
    if odd:
        kept += _short(odd, list(usual))
    about = settings(bits, compute, sorted(kept) if odd else None).to_dict()
    found = {_stored(name, model, stream): _is_transposed(module) for name, module in _linears(model, kept).items()}
    if not found:
        raise InputError("quantized_sizes", family=model.config.model_type, bits=bits)
    return about, found


def _without_numbers(stream: Any, folder: Path) -> Any:
    """The model of a stream, built without its weights."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    (folder / "config.json").write_text(json.dumps(stream.config), encoding="utf-8")
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config)


def _linears(model: Any, kept: list[str]) -> dict[str, Any]:
    """The layers that transformers quantizes when these stay as they are."""
    import torch
    from transformers.quantizers.quantizers_utils import should_convert_module

    return {name: module for name, module in model.named_modules()
            if (type(module) is torch.nn.Linear or _is_transposed(module)) and should_convert_module(name, kept)}


def _is_transposed(module: Any) -> bool:
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, Conv1D)


def _sizes(module: Any) -> tuple[int, int]:
    """(outputs, inputs) of a layer."""
    rows, columns = module.weight.shape
    return (columns, rows) if _is_transposed(module) else (rows, columns)


def _short(odd: list[str], every: list[str]) -> list[str]:
    """Names that keep these layers: the last part where all layers of that name are meant, else in full."""
    last = {name.rpartition(".")[2] for name in odd}
    whole = {one for one in last if all(name in odd for name in every if name.endswith(one))}
    return sorted(whole | {name for name in odd if name.rpartition(".")[2] not in whole})


def _stored(name: str, model: Any, stream: Any) -> str:
    """The tensor that holds a layer's weight; raises InputError quantized_family."""
    for one in (f"{name}.weight", f"{name.removeprefix(f'{model.base_model_prefix}.')}.weight"):
        if one in stream.planned:
            return one
    raise InputError("quantized_family", family=model.config.model_type, name=name)


def _quantized(name: str, stream: Any, bits: int, transposed: bool) -> dict[str, Any]:
    """The tensors that stand for one layer's weight."""
    import torch
    from bitsandbytes import functional

    kind = {"BF16": torch.bfloat16, "F16": torch.float16}.get(stream.dtype, torch.float32)
    weight = torch.from_numpy(stream.read(name)).to(kind)
    weight = (weight.T if transposed else weight).contiguous()
    if bits == 8:
        numbers, scales, _ = functional.int8_vectorwise_quant(weight.to(torch.float16))
        short = name.removesuffix("weight")
        return {f"{short}SCB": scales, name: numbers, f"{short}weight_format": torch.tensor(0, dtype=torch.uint8)}
    packed, state = functional.quantize_4bit(weight, blocksize=BLOCK, compress_statistics=True, quant_type="nf4")
    return {name: packed} | {f"{name}.{key}": value for key, value in state.as_dict(packed=True).items()}


class _Shards:
    """Files of at most about a size: floats first, then bytes, so that every number stays aligned."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most
        self._files: list[dict[str, int]] = []
        self._begin()

    def _begin(self) -> None:
        self._about: dict[str, dict[str, Any]] = {}
        self._held = 0
        self._rooms: dict[bool, BinaryIO] = {
            True: (self._folder / ".wide.part").open("wb"), False: (self._folder / ".narrow.part").open("wb")}

    def put(self, tensors: Mapping[str, Any]) -> None:
        """Some torch tensors that belong together."""
        self._make_room(sum(one.nbytes for one in tensors.values()))
        for name, one in tensors.items():
            kind = _WORDS[str(one.dtype)]
            self._note(name, kind, tuple(one.shape), one.nbytes)
            self._rooms[kind not in ("U8", "I8")].write(one.reshape(-1).numpy().tobytes())

    def stream(self, name: str, planned: Any, blocks: Iterator[Any], stay: Any) -> None:
        """One tensor as numpy blocks in the numbers of the result."""
        self._make_room(planned.bytes)
        self._note(name, planned.dtype, planned.shape, planned.bytes)
        for block in blocks:
            stay()
            self._rooms[planned.dtype not in ("U8", "I8")].write(block.tobytes())

    def _note(self, name: str, kind: str, shape: tuple[int, ...], size: int) -> None:
        self._about[name] = {"dtype": kind, "shape": list(shape), "bytes": size}
        self._held += size

    def _make_room(self, size: int) -> None:
        if self._about and self._held + size > self._most:
            self._close()
            self._begin()

    def _close(self) -> None:
        """Join floats and bytes behind their header."""
        for room in self._rooms.values():
            room.close()
        ordered = sorted(self._about, key=lambda name: self._about[name]["dtype"] in ("U8", "I8"))
        header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
        at = 0
        for name in ordered:
            one = self._about[name]
            header[name] = {"dtype": one["dtype"], "shape": one["shape"], "data_offsets": [at, at + one["bytes"]]}
            at += one["bytes"]
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        with open(self._folder / f".shard-{len(self._files)}.part", "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for wide in (True, False):
                path = Path(self._rooms[wide].name)
                with open(path, "rb") as room:
                    shutil.copyfileobj(room, out, _COPIED)
                path.unlink()
        self._files.append({name: self._about[name]["bytes"] for name in ordered})

    def finish(self) -> None:
        """Give the files their names, and write the index where there are several."""
        self._close()
        count = len(self._files)
        names = [SINGLE] if count == 1 else [SHARD.format(number=k + 1, count=count) for k in range(count)]
        for number, name in enumerate(names):
            os.replace(self._folder / f".shard-{number}.part", self._folder / name)
        if count > 1:
            index = {"metadata": {"total_size": sum(sum(held.values()) for held in self._files)},
                     "weight_map": {tensor: name for name, held in zip(names, self._files, strict=True)
                                    for tensor in held}}
            (self._folder / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
