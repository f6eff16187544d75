"""Attention of a flattened step over the rows' slots: each token's key and value is written to its place, then read.

Registered with transformers as the attention `studio_slots`, for which no masks are made: the plan of the step says
who sees whom. All rows that say one token are attended to in one product a shelf; pieces of prompts one by one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from studio.engine.server.slots import Shelf, Slot

NAME = "studio_slots"


@dataclass
class Speakers:
    """The rows of one shelf that bring one token each.

    `rows`, `tokens`, `places` say which slab row gets which token of the step at which place; `ends` are the lengths
    of rows 0 … n-1 with the new token. Rows between that bring none are attended to in vain.
    """

    shelf: Shelf
    rows: Tensor
    tokens: Tensor
    places: Tensor
    asked: Tensor
    ends: Tensor
    count: int
    longest: int
    shortest: int
    single: tuple[int, int, int] | None
    straight: bool
    dense: bool
    masks: dict[Any, Tensor | None] = field(default_factory=dict)

    def mask(self, start: int, window: int | None, dtype: torch.dtype) -> Tensor | None:
        """What is added to the scores `(n, 1, 1, places)`; None where every row sees every place."""
        key = (start, window, dtype)
        if key not in self.masks:
            self.masks[key] = self._mask(start, window, dtype)
        return self.masks[key]

    def _mask(self, start: int, window: int | None, dtype: torch.dtype) -> Tensor | None:
        if self.shortest == self.longest and (window is None or start == max(0, self.longest - window)):
            return None
        places = torch.arange(start, self.longest, device=self.ends.device)
        hidden = places[None] >= self.ends[:, None]
        if window is not None:
            hidden |= places[None] < self.ends[:, None] - window
        scores = torch.zeros(hidden.shape, dtype=dtype, device=hidden.device).masked_fill_(hidden, -math.inf)
        return scores[:, None, None]


@dataclass
class Reader:
    """A piece of a prompt: tokens [first, last) of the step are places [start, end) of the row."""

    shelf: Shelf
    row: int
    first: int
    last: int
    start: int
    end: int
    masks: dict[Any, Tensor] = field(default_factory=dict)

    def mask(self, low: int, window: int | None, device: torch.device) -> Tensor:
        """Who of the piece's tokens sees which places from `low` on `(tokens, places)`; True is seen."""
        key = (low, window)
        if key not in self.masks:
            mine = torch.arange(self.start, self.end, device=device)[:, None]
            there = torch.arange(low, self.end, device=device)[None]
            seen = there <= mine
            if window is not None:
                seen &= there > mine - window
            self.masks[key] = seen
        return self.masks[key]


@dataclass
class Plan:
    """Who attends to what in the step being computed."""

    tokens: int
    speakers: list[Speakers]
    readers: list[Reader]


class Now:
    """The plan of the pass being computed, and what a pass without a plan showed of the layers."""

    plan: Plan | None = None
    seen: ClassVar[dict[int, tuple[tuple[int, int, int], int | None]]] = {}


def speakers(shelf: Shelf, slots: list[Slot], tokens: list[int], of: int, device: torch.device) -> Speakers:
    """The rows of a shelf that bring the given tokens of the step, which has `of` tokens."""
    by_row = {slot.row: (slot, token) for slot, token in zip(slots, tokens, strict=True)}
    count = max(by_row) + 1
    rows = sorted(by_row)
    asked = [by_row[row][1] if row in by_row else tokens[0] for row in range(count)]
    ends = [by_row[row][0].length + 1 if row in by_row else 1 for row in range(count)]
    real = [by_row[row][0].length + 1 for row in rows]
    dense = len(rows) == count
    single = (rows[0], by_row[rows[0]][1], real[0] - 1) if len(rows) == 1 else None
    mine = [by_row[row][1] for row in rows]

    def numbers(values: list[int]) -> Tensor:
        return torch.tensor(values, device=device)

    return Speakers(shelf, numbers(rows), numbers(mine), numbers([end - 1 for end in real]), numbers(asked),
                    numbers(ends), count, max(real), min(ends), single,
                    dense and mine == list(range(of)), dense)


def attend(module: torch.nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Any = None,
           dropout: float = 0.0, scaling: float | None = None, sliding_window: int | None = None,
           softcap: float | None = None, s_aux: Tensor | None = None, **more: Any) -> tuple[Tensor, None]:
    """Attention of query `(1, heads, tokens, dim)`; key and value `(1, kv heads, tokens, dim)` go to their places.

    Returns `(1, tokens, heads, dim)`. Raises NotImplementedError for position biases: the probe takes another way.
    """
    if more.get("position_bias") is not None:
        raise NotImplementedError("attention variant")
    plan, layer = Now.plan, int(module.layer_idx)  # type: ignore[arg-type]
    if plan is None:
        Now.seen[layer] = ((key.shape[1], key.shape[3], value.shape[3]), sliding_window)
        return query.new_zeros(1, query.shape[2], query.shape[1], value.shape[3]), None
    scale = scaling if scaling is not None else query.shape[-1] ** -0.5
    how = _How(scale, softcap, s_aux)
    q, k, v = query[0].transpose(0, 1), key[0].transpose(0, 1), value[0].transpose(0, 1)
    if len(plan.speakers) == 1 and plan.speakers[0].straight:
        return _spoken(plan.speakers[0], layer, q, k, v, sliding_window, how)[None], None
    out = query.new_empty(q.shape[0], q.shape[1], v.shape[2])
    for one in plan.speakers:
        said = _spoken(one, layer, q, k, v, sliding_window, how)
        out[one.tokens] = said if one.dense else said[one.rows]
    for reader in plan.readers:
        out[reader.first:reader.last] = _read(reader, layer, q, k, v, sliding_window, how)
    return out[None], None


@dataclass(frozen=True, slots=True)
class _How:
    """The arithmetic of a layer's scores: scale, soft cap, a learned score for seeing nothing."""

    scale: float
    softcap: float | None
    sinks: Tensor | None

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *, causal: bool = False) -> Tensor:
        """`(n, kv, queries, dim)` over `(n, kv, places, dim)`, the queries of a head's group side by side."""
        if self.softcap is None and self.sinks is None:
            return scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal, scale=self.scale)
        scores = (q @ k.transpose(-1, -2)).float() * self.scale
        if self.softcap is not None:
            scores = torch.tanh(scores / self.softcap) * self.softcap
        if mask is not None:
            scores = scores.masked_fill(~mask, -math.inf) if mask.dtype == torch.bool else scores + mask
        if self.sinks is None:
            return scores.softmax(-1).to(v.dtype) @ v
        # a head's own sink: queries are (group, tokens) flattened, so each group has its own
        sinks = self.sinks.float().view(1, k.shape[1], -1, 1)
        sinks = sinks.repeat_interleave(q.shape[2] // sinks.shape[2], 2).expand(q.shape[0], -1, -1, 1)
        return torch.cat([scores, sinks], -1).softmax(-1)[..., :-1].to(v.dtype) @ v


def _spoken(one: Speakers, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None, how: _How) -> Tensor:
    """`(n, heads, dim)` for the slab rows 0 … n-1."""
    keys, values = one.shelf.keys[layer], one.shelf.values[layer]
    if one.single is not None:
        row, token, place = one.single
        keys[row, :, place] = k[token]
        values[row, :, place] = v[token]
    else:
        keys[one.rows, :, one.places] = k if one.straight else k[one.tokens]
        values[one.rows, :, one.places] = v if one.straight else v[one.tokens]
    asked = q if one.straight else q[one.asked]
    start = 0 if window is None else max(0, one.shortest - window)
    grouped = asked.unflatten(1, (keys.shape[1], -1))
    seen = slice(start, one.longest)
    out = how.attend(grouped, keys[:one.count, :, seen], values[:one.count, :, seen],
                     one.mask(start, window, q.dtype))
    return out.flatten(1, 2)


def _read(one: Reader, layer: int, q: Tensor, k: Tensor, v: Tensor, window: int | None, how: _How) -> Tensor:
    """`(tokens, heads, dim)` for a piece of a prompt."""
    keys, values = one.shelf.keys[layer][one.row], one.shelf.values[layer][one.row]
    keys[:, one.start:one.end] = k[one.first:one.last].transpose(0, 1)
    values[:, one.start:one.end] = v[one.first:one.last].transpose(0, 1)
    count, heads = one.last - one.first, keys.shape[0]
    low = 0 if window is None else max(0, one.start - window + 1)
    asked = q[one.first:one.last].transpose(0, 1)
    seen_k, seen_v = keys[:, low:one.end], values[:, low:one.end]
    group = asked.shape[0] // heads
    plain = how.softcap is None and how.sinks is None
    if plain and one.start == 0 and (window is None or one.end <= window):
        out = scaled_dot_product_attention(asked[None], seen_k[None], seen_v[None], is_causal=True, scale=how.scale,
                                           enable_gqa=group > 1)
        return out[0].transpose(0, 1)
    mask = one.mask(low, window, q.device)
    if plain:
        out = scaled_dot_product_attention(asked[None], seen_k[None], seen_v[None], attn_mask=mask, scale=how.scale,
                                           enable_gqa=group > 1)
        return out[0].transpose(0, 1)
    grouped = asked.reshape(1, heads, group * count, -1)
    out = how.attend(grouped, seen_k[None], seen_v[None], mask.repeat(group, 1))
    return out.reshape(heads * group, count, -1).transpose(0, 1)


def register() -> None:
    """Make `studio_slots` known to transformers."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

    ALL_ATTENTION_FUNCTIONS[NAME] = attend
