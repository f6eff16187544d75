"""Row by row: the careful way for models whose attention cannot be exchanged (GPT-Neo, BLOOM, Mamba, …).

Every row has the cache that its own model makes; a step is one forward pass a row: slower with many rows, never wrong.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from studio.engine.server.passes import Pass


@dataclass(slots=True)
class Piece:
    """What one row brings to a step: ids that follow what its slot holds, and of which of them logits are wanted.

    `wanted` is how many of the last ids that is; 0 while a prompt is only being read.
    """

    slot: Any
    ids: Sequence[int]
    wanted: int = 1


@dataclass
class OwnCache:
    """One row's place: its checkpoint, its model's own cache, how many tokens of text that holds."""

    lane: str
    before: int
    length: int = 0
    cache: Any = None


@dataclass
class Alone:
    """Runs a model row by row; `prefixes` are the keys and values laid in front, by checkpoint."""

    model: Any
    current: Pass
    prefixes: dict[str, Tensor] = field(default_factory=dict)
    one_batch = False
    bytes_per_token = 0  # not known of caches that are the model's own

    def __post_init__(self) -> None:
        self._parameters = inspect.signature(self.model.forward).parameters

    @property
    def bytes(self) -> int:
        """What rows take is not known here beforehand."""
        return 0

    def open(self, lane: str, room: int) -> OwnCache:
        """A place for a row of a checkpoint."""
        from transformers.cache_utils import DynamicCache

        numbers = self.prefixes.get(lane)
        if numbers is None:
            return OwnCache(lane, 0)
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(numbers):
            cache.update(keys[None].clone(), values[None].clone(), layer)
        return OwnCache(lane, numbers.shape[3], 0, cache)

    def close(self, slot: OwnCache) -> None:
        """Give a place back."""
        slot.cache = None

    def fork(self, slot: OwnCache) -> OwnCache:
        """A second place with the same content."""
        return OwnCache(slot.lane, slot.before, slot.length, copy.deepcopy(slot.cache))

    def take(self, slot: OwnCache) -> OwnCache:
        """What a place holds, to be kept after it is closed."""
        return OwnCache(slot.lane, slot.before, slot.length, slot.cache)

    def size(self, slot: OwnCache) -> int:
        """How many bytes `take` would keep."""
        return _bytes(slot.cache)

    def lay(self, kept: OwnCache, length: int, room: int) -> OwnCache | None:
        """A place that begins with the first `length` tokens of what a place held; None where that cannot be cut."""
        if length < kept.length and not _is_keys(kept.cache, whole=True):
            return None
        made = OwnCache(kept.lane, kept.before, length, copy.deepcopy(kept.cache))
        if length < kept.length:
            made.cache.crop(length - kept.length)  # how many to take off, negative
        return made

    @torch.inference_mode()
    def run(self, pieces: Sequence[Piece]) -> Tensor:
        """The logits `(wanted, vocab)`, float or as computed, in the order of the pieces."""
        found = [self._steps(piece) for piece in pieces]
        return torch.cat([one for one in found if one is not None]) if any(p.wanted for p in pieces) else torch.empty(0)

    def _steps(self, piece: Piece) -> Tensor | None:
        """The logits of one piece; a state that is not keys and values takes what follows one by one."""
        if piece.slot.cache is None or len(piece.ids) == 1 or _is_keys(piece.slot.cache):
            return self._one(piece)
        first = len(piece.ids) - piece.wanted
        found = [self._one(Piece(piece.slot, [one], place >= first)) for place, one in enumerate(piece.ids)]
        said = [one for one in found if one is not None]
        return torch.cat(said) if said else None

    def _one(self, piece: Piece) -> Tensor | None:
        slot, count = piece.slot, len(piece.ids)
        device = self.model.device
        inputs: dict[str, Any] = {"input_ids": torch.tensor([list(piece.ids)], device=device), "use_cache": True}
        if slot.cache is not None and "cache_params" in self._parameters:
            inputs["cache_params"] = slot.cache
        elif slot.cache is not None:
            inputs["past_key_values"] = slot.cache
            if "position_ids" not in self._parameters or not slot.before:
                seen = slot.before + slot.length + count
                inputs["attention_mask"] = torch.ones(1, seen, dtype=torch.long, device=device)
        if "position_ids" in self._parameters:
            inputs["position_ids"] = torch.arange(slot.length, slot.length + count, device=device)[None]
        kept = max(piece.wanted, 1)
        if "logits_to_keep" in self._parameters:
            inputs["logits_to_keep"] = kept
        else:
            kept = count
        self.current.begin([slot.lane], [count], [kept])
        out = self.model(**inputs)
        slot.cache = out.past_key_values if "past_key_values" in out else out.get("cache_params")
        slot.length += count
        return out.logits[0, -piece.wanted:] if piece.wanted else None

    @torch.inference_mode()
    def hidden(self, ids: Sequence[int]) -> Tensor:
        """The last hidden states `(tokens, width)` of a text by the base."""
        self.current.begin([""], [len(ids)], [len(ids)])
        row = torch.tensor([list(ids)], device=self.model.device)
        return self.model.get_decoder()(input_ids=row, use_cache=False).last_hidden_state[0]


def _is_keys(cache: Any, *, whole: bool = False) -> bool:
    """Whether a cache holds keys and values, to be added to; of the `whole` text, so that it can be cut too."""
    kinds = {type(layer).__name__ for layer in getattr(cache, "layers", ())}
    known = {"DynamicLayer"} if whole else {"DynamicLayer", "DynamicSlidingWindowLayer"}
    return type(cache).__name__ == "DynamicCache" and kinds <= known


def _bytes(cache: Any) -> int:
    """What a cache's tensors take."""
    found = 0
    for layer in getattr(cache, "layers", ()):
        found += sum(value.numel() * value.element_size() for value in vars(layer).values()
                     if isinstance(value, torch.Tensor))
    return found
