"""Stream: what a model with its adapters becomes, known beforehand, and its numbers a block of rows at a time.

Merged as PEFT's `merge_and_unload` does it: float32 sums, rounded to the model's own dtype after each adapter where
the result has that dtype too, else once at the end. Each adapter meets the weights as the ones before it left them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from studio.errors import InputError, WorkError
from studio.exports.source import PREFIX, Source
from studio.exports.weights import bitwise, numbers
from studio.exports.weights.bitwise import opened
from studio.exports.weights.changes import Addition, Change, Dora, Residue, Rows, Whole
from studio.exports.weights.files import BLOCK, Tensor, height, of_model, spans
from studio.exports.weights.parts import EMBEDDINGS, HEADS, Found, read

_UNTIED_HEADS = {"gpt_neox": "embed_out.weight", "chatglm": "transformer.output_layer.weight"}


class Planned(NamedTuple):
    """A tensor of the result: its shape and safetensors' word for its numbers."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        """Its size."""
        return prod(self.shape) * numbers.size(self.dtype)


@dataclass
class _Entry:
    """Where a tensor of the result comes from and what happens to it."""

    origin: Any
    changes: list[Change] = field(default_factory=list)


class Stream:
    """The result's tensors: `planned` and `config` before, `blocks`, `read` and `copied` when they are wanted.

    `merged` counts the tensors that adapters changed.
    """

    def __init__(self, source: Source, dtype: str) -> None:
        self.source = source
        self.config = _config(source.base)
        base = opened(of_model(source.base))
        self._tied = _drop_doubled_head(self.config, base)
        self._rows = {name: one.shape[0] for name, one in base.items() if one.shape}
        self._packed = [one for one in base.values() if not isinstance(one, Tensor)]
        self._entries: dict[str, _Entry] = {name: _Entry(one) for name, one in base.items()}
        self._untied = False
        self._largest_rounding = 0.0
        self._embedding = next((name for name in base if name.rpartition(".weight")[0].rpartition(".")[2] in EMBEDDINGS
                                and name.endswith(".weight")), "")
        for part in source.parts:
            if part.kind == PREFIX:
                raise InputError("adapter_kind", path=str(part.folder), kind="P_TUNING_V2")
            self._work_in(part, read(part, self._entries, str(self.config.get("model_type"))))
        self.dtype = numbers.WORDS.get(dtype) or (_said(self.config) if self._packed else "") or _own(base)
        self.planned: Mapping[str, Planned] = {
            name: Planned(one.origin.shape, self.dtype if one.origin.dtype in numbers.FLOATS else one.origin.dtype)
            for name, one in self._entries.items()}
        self.merged = sum(bool(one.changes) for one in self._entries.values())
        self._finish_config()

    @property
    def bytes(self) -> int:
        """The size of all tensors."""
        return sum(one.bytes for one in self.planned.values())

    @property
    def parameters(self) -> int:
        """How many numbers the result has."""
        return sum(prod(one.shape) for one in self.planned.values())

    def warnings(self) -> list[tuple[str, dict[str, Any]]]:
        """Console lines, as (key below engine, values), about what a reader of the result should know."""
        if self._packed:
            return [("export_dequantized", {"count": len(self._packed), "bits": self._packed[0].bits})]
        bits = self.source.quantization_bit
        if not bits or not self.merged:
            return []
        return [("export_unquantized", {"bits": bits, "share": f"{self._quantization_loss(bits):.1%}"})]

    def figures(self) -> dict[str, Any]:
        """What a merge came to, once it is written: how many tensors changed, how far rounding moved a number at most
        (in the first rows of each), and whether these are, bit by bit, the numbers of PEFT's merge."""
        changes = {type(change) for entry in self._entries.values() for change in entry.changes}
        return {"tensors": len(self.planned), "merged": self.merged, "dtype": self.dtype,
                "largest_rounding": self._largest_rounding, "bit_equal": not changes & {Dora, Residue}}

    def _quantization_loss(self, bits: int) -> float:
        """How far the merged weights of the base are from those that training saw: root of the mean square by that of
        the weights, over the first rows of each."""
        error = whole = 0.0
        for entry in self._entries.values():
            if entry.changes and len(entry.origin.shape) == 2:
                lost, all_of_it = bitwise.loss(entry.origin.floats(*next(spans(entry.origin.shape))), bits)
                error, whole = error + lost, whole + all_of_it
        return (error / whole) ** 0.5 if whole else 0.0

    # ---- the numbers ----

    def blocks(self, name: str, most: int = BLOCK) -> Iterator[np.ndarray]:
        """The tensor's rows from the first to the last as float32, rounded to the result's dtype, in blocks of whole
        rows with at most about `most` numbers; whole numbers come as they are."""
        kind = self.planned[name].dtype
        if kind not in numbers.FLOATS:
            for span in spans(self.planned[name].shape, most):
                yield self._entries[name].origin.stored(*span)
            return
        for block in self.stored(name, most):
            yield numbers.floats(block, kind) if kind != "F32" else block

    def stored(self, name: str, most: int = BLOCK) -> Iterator[np.ndarray]:
        """The same as it is stored in the result's dtype; bfloat16 as uint16.

        Raises WorkError export_not_finite, export_overflow.
        """
        entry, kind = self._entries[name], self.planned[name].dtype
        if not entry.changes and entry.origin.dtype == kind:
            for span in spans(entry.origin.shape, most):
                yield entry.origin.stored(*span)
            return
        for first, _, block in self._values(name, most):
            self._look_at(name, block, kind)
            exact = block.copy() if entry.changes and not first and kind != "F32" else None
            narrow = numbers.narrowed(block, kind)
            if exact is not None:
                far = float(np.abs(numbers.floats(narrow, kind) - exact).max(initial=0.0))
                self._largest_rounding = max(self._largest_rounding, far)
            yield narrow

    def read(self, name: str) -> np.ndarray:
        """The whole tensor as float32, rounded to the result's dtype; whole numbers as they are."""
        shape, kind = self.planned[name]
        made = np.empty(shape, np.float32 if kind in numbers.FLOATS else numbers.storage(kind))
        first = 0
        for block in self.blocks(name):
            if not shape:
                return block
            made[first:first + len(block)] = block
            first += len(block)
        return made

    def copied(self, name: str) -> Tensor | None:
        """The stored tensor that the result takes over byte by byte; None where numbers change."""
        entry = self._entries[name]
        same = not entry.changes and entry.origin.dtype == self.planned[name].dtype
        return entry.origin if same and isinstance(entry.origin, Tensor) else None

    def _values(self, name: str, most: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """(first, last, float32 rows) with all changes."""
        changes = self._entries[name].changes
        try:
            for number, change in enumerate(changes):
                change.begin(partial(self._after, name, number, most))
            yield from self._after(name, len(changes), most)
        finally:
            for change in changes:
                change.end()

    def _after(self, name: str, count: int, most: int) -> Iterator[tuple[int, int, np.ndarray]]:
        """(first, last, float32 rows) after so many changes."""
        entry = self._entries[name]
        between = self.dtype if entry.origin.dtype == self.dtype else "F32"
        for first, last in spans(entry.origin.shape, most):
            block = entry.origin.floats(first, last)
            for number, change in enumerate(entry.changes[:count]):
                block = change.apply(block if number == 0 else numbers.rounded(block, between), first, last)
            yield first, last, block

    def _look_at(self, name: str, block: np.ndarray, kind: str) -> None:
        """Refuse numbers that the result cannot hold."""
        if not np.isfinite(block.sum(dtype=np.float32)) and not np.isfinite(block).all():
            raise WorkError("export_not_finite", name=name)
        if kind == "F16" and block.size and (largest := float(np.abs(block).max())) > numbers.LARGEST_HALF:
            raise WorkError("export_overflow", name=name, value=f"{largest:.4g}", most=f"{numbers.LARGEST_HALF:.0f}")

    # ---- the plan ----

    def _work_in(self, part: Any, found: Found) -> None:
        """One adapter's changes on what stands there so far."""
        for name in found.changes:
            if name not in self._entries and not self._may_begin(name, found):
                raise InputError("adapter_mismatch", path=str(part.folder), name=name)
        if self._tied:
            self._untie(found)
        for name, changes in found.changes.items():
            entry = self._entries[name]
            for change in changes:
                if isinstance(change, Whole) and change.replaces(entry.origin.shape):
                    self._entries[name] = entry = _Entry(change.tensor)
                else:
                    _fits(change, entry, part, name)
                    entry.changes.append(change)

    def _may_begin(self, name: str, found: Found) -> bool:
        """Whether a tensor that the model's files lack can come from the adapter: a tied output layer, a bias."""
        if self._tied and self._embedding and _is_head(name):
            return True
        return name.endswith(".bias") and f"{name[:-4]}weight" in self._entries and \
            not isinstance(found.changes[name][0], Addition)

    def _untie(self, found: Found) -> None:
        """Give a tied output layer a weight of its own where an adapter trained one of the two and not the other."""
        head = next((name for name in found.changes if _is_head(name)), "")
        inner = found.changes.get(self._embedding, [])
        low = [one for one in (*inner, *found.changes.get(head, [])) if not isinstance(one, Whole | Rows)]
        saved = {self._embedding, head} & found.saved
        if not head and not inner:
            return
        if not low and not saved:  # single tokens, or a vocabulary that grew: they still are one
            found.changes.pop(head, None)
            return
        grown = any(isinstance(change, Whole) and change.tensor.shape != self._entries[self._embedding].origin.shape
                    for change in inner)
        if not head and grown:
            return
        head = head or _UNTIED_HEADS.get(str(self.config.get("model_type")), "lm_head.weight")
        old = self._entries[self._embedding]
        self._entries[head] = _Entry(old.origin, list(old.changes))
        self._tied, self._untied = False, True

    def _finish_config(self) -> None:
        """config.json as the result needs it."""
        name = numbers.NAMES[self.dtype]
        if self._packed:
            self.config.pop("quantization_config", None)
        self.config.pop("_name_or_path", None)
        self.config["dtype"] = self.config["torch_dtype"] = name
        inner = self.config.get("text_config")
        rooms = [self.config, *([inner] if isinstance(inner, dict) else [])]
        rows = self.planned[self._embedding].shape[0] if self._embedding else 0
        for room in rooms:
            if "dtype" in room:
                room["dtype"] = name
            for key in ("vocab_size", "padded_vocab_size"):
                if isinstance(room.get(key), int) and rows and rows != self._rows[self._embedding]:
                    room[key] = rows
            if self._untied:
                room["tie_word_embeddings"] = False


def stream(source: Source, dtype: str = "auto") -> Stream:
    """The stream of a source; `dtype` is fp32, fp16, bf16 or auto, the base's own.

    Raises InputError adapter_mismatch, adapter_feature, adapter_kind, adapter_missing and what is wrong with the base.
    """
    return Stream(source, dtype)


def _fits(change: Any, entry: _Entry, part: Any, name: str) -> None:
    """Refuse a low-rank addition of other sizes, an adapter of another model, and one on numbers of another kind."""
    if entry.origin.dtype not in numbers.FLOATS:
        raise InputError("adapter_merge_quantized")
    low = getattr(change, "low", change)
    a, b = getattr(low, "a", None), getattr(low, "b", None)
    if a is None or b is None:
        return
    sizes = (prod(b.shape) // b.shape[1], prod(a.shape) // a.shape[0])
    wanted = (height(entry.origin.shape), prod(entry.origin.shape[1:]))
    if (sizes if not low.across else sizes[::-1]) != wanted:
        raise InputError("adapter_mismatch", path=str(part.folder), name=name)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise InputError("model_no_config", path=str(folder)) from None
    except (OSError, ValueError, TypeError) as error:
        raise InputError("model_config_broken", path=str(path), reason=str(error)) from error


def _own(base: Mapping[str, Any]) -> str:
    """The dtype in which most of the base's numbers are."""
    counts: dict[str, int] = {}
    for one in base.values():
        if one.dtype in numbers.FLOATS:
            counts[one.dtype] = counts.get(one.dtype, 0) + prod(one.shape)
    return max(counts, key=lambda kind: counts[kind], default="F32")


def _said(config: Mapping[str, Any]) -> str:
    """The dtype that config.json names, in safetensors' word."""
    name = str(config.get("dtype") or config.get("torch_dtype") or "").removeprefix("torch.")
    return next((word for word, known in numbers.NAMES.items() if known == name), "")


def _drop_doubled_head(config: Mapping[str, Any], base: dict[str, Any]) -> bool:
    """Whether the output layer is the embedding; a copy of it in the files, which no loader uses, is left out."""
    heads = [name for name in base if _is_head(name)]
    if config.get("tie_word_embeddings") is True:
        for name in heads:
            del base[name]
        return True
    return not heads


def _is_head(name: str) -> bool:
    return name.rpartition(".weight")[0].rpartition(".")[2] in HEADS
