"""Several checkpoints of one base in one forward pass: every token of a flattened row is computed with its own adapter.

A layer that adapters sit on becomes a `Many`. The low-rank matrices of all adapters that take part are laid side by
side over their ranks; a mask (tokens, ranks) leaves each token its own, so a layer costs two small products more,
however many adapters take part. What cannot be summed up like that (DoRA's magnitudes, modules saved whole) is done on
the slices of tokens that belong to one checkpoint. The tokens of one checkpoint stand side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear

# Above so many tokens one product over all ranks costs more than one product a checkpoint.
_SLICED_FROM = 96


@dataclass(frozen=True, slots=True)
class Span:
    """The tokens [start, end) of a pass belong to this checkpoint; "" is the base."""

    lane: str
    start: int
    end: int


@dataclass
class Pass:
    """Who owns which tokens in the pass being computed; one object is shared by all layers of a model.

    `spans` cover all tokens, `kept` those whose logits are wanted, which is all that the output layer sees.
    """

    tokens: int = 0
    spans: tuple[Span, ...] = ()
    kept: tuple[Span, ...] = ()
    masks: dict[Any, Tensor] = field(default_factory=dict)
    known: dict[Any, tuple[Span, ...]] = field(default_factory=dict)

    def begin(self, lanes: Sequence[str], counts: Sequence[int], kept: Sequence[int]) -> None:
        """Say whose tokens come, in this order: `counts` of them, of which `kept` are wanted at the end."""
        self.tokens = sum(counts)
        self.spans, self.kept = _spans(lanes, counts), _spans(lanes, kept)
        self.masks.clear()
        self.known.clear()

    def of(self, tokens: int) -> tuple[Span, ...]:
        """The owners of the tokens that a layer was given."""
        return self.spans if tokens == self.tokens else self.kept

    def among(self, tokens: int, lanes: tuple[str, ...]) -> tuple[Span, ...]:
        """Those of the owners that are among some checkpoints."""
        key = (tokens, lanes)
        if key not in self.known:
            self.known[key] = tuple(span for span in self.of(tokens) if span.lane in lanes)
        return self.known[key]


def _spans(lanes: Sequence[str], counts: Sequence[int]) -> tuple[Span, ...]:
    """Neighbours of one owner joined."""
    found: list[Span] = []
    start = 0
    for lane, count in zip(lanes, counts, strict=True):
        if not count:
            continue
        if found and found[-1].lane == lane:
            found[-1] = Span(lane, found[-1].start, start + count)
        else:
            found.append(Span(lane, start, start + count))
        start += count
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Share:
    """One checkpoint's part in a layer: A `(rank, in)`, B `(rank, out)` with the scaling worked in, DoRA's factors.

    On a CPU they are float32 beside a base of fewer bits, as PEFT has them: small products in bfloat16 take twice as
    long there. B lies the way that the second product is quickest.
    """

    a: Tensor
    b: Tensor
    dora: Tensor | None = None

    @property
    def rank(self) -> int:
        """How many rows A has."""
        return self.a.shape[0]


class Many(nn.Module):
    """A module of the base and what each checkpoint does to it: adds a low-rank product, or takes its own instead."""

    def __init__(self, base: nn.Module, current: Pass) -> None:
        super().__init__()
        self.base = base
        self.current = current
        self.shares: dict[str, Share] = {}
        self.instead: dict[str, nn.Module] = {}
        self.__dict__["_compute"] = base.forward  # found quickly: it is asked for at every token
        self._stack: tuple[tuple[str, ...], Tensor, Tensor] | None = None
        self._lanes: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("base"), name)

    def put(self, lane: str, share: Share | None = None, instead: nn.Module | None = None) -> None:
        """Give a checkpoint its part."""
        if share is not None:
            self.shares[lane] = share
        if instead is not None:
            self.instead[lane] = instead
        self._stack, self._lanes = None, tuple(self.shares)

    def remove(self, lane: str) -> None:
        """Forget a checkpoint."""
        self.shares.pop(lane, None)
        self.instead.pop(lane, None)
        self._stack, self._lanes = None, tuple(self.shares)

    @property
    def empty(self) -> bool:
        """Whether only the base is left."""
        return not self.shares and not self.instead

    def forward(self, x: Tensor) -> Tensor:
        """`(1, tokens, …)` of any owners."""
        if self.instead:
            spans = self.current.of(x.shape[1])
            if any(span.lane in self.instead for span in spans):
                if len(spans) == 1:
                    return self.instead[spans[0].lane](x)
                return torch.cat([self._one(x[:, span.start:span.end], span.lane) for span in spans], 1)
        out: Tensor = self._compute(x)
        mine = self.current.among(x.shape[1], self._lanes)
        if len(mine) == 1 and mine[0].end - mine[0].start == x.shape[1]:
            self._add_all(x.view(-1, x.shape[-1]), out.view(-1, out.shape[-1]), self.shares[mine[0].lane])
        elif mine:
            self._add(x.view(-1, x.shape[-1]), out.view(-1, out.shape[-1]), mine)
        return out

    def _one(self, x: Tensor, lane: str) -> Tensor:
        """The tokens of one owner."""
        if lane in self.instead:
            return self.instead[lane](x)
        out = self.base(x)
        if lane in self.shares:
            whole = Span(lane, 0, x.shape[1])
            self._add(x.reshape(-1, x.shape[-1]), out.view(-1, out.shape[-1]), (whole,))
        return out

    def _add_all(self, x: Tensor, out: Tensor, share: Share) -> None:
        """Add one checkpoint's product to all tokens, in place."""
        _addmm(out, linear(_as(x, share.a), share.a), share.b)
        if share.dora is not None:
            self._stretch(out, share.dora)

    def _add(self, x: Tensor, out: Tensor, mine: tuple[Span, ...]) -> None:
        """Add the low-rank products to `out` (tokens, out), in place."""
        if len(mine) == 1 or len(x) >= _SLICED_FROM:
            for span in mine:
                share = self.shares[span.lane]
                part = out[span.start:span.end]
                _addmm(part, linear(_as(x[span.start:span.end], share.a), share.a), share.b)
        else:
            lanes, a, b = self._stacked(tuple(span.lane for span in mine))
            low = linear(_as(x, a), a)
            low.mul_(self._mask(lanes, mine, low))
            _addmm(out, low, b)
        for span in mine:
            factors = self.shares[span.lane].dora
            if factors is not None:
                self._stretch(out[span.start:span.end], factors)

    def _stretch(self, part: Tensor, factors: Tensor) -> None:
        """DoRA: everything but the bias times magnitude over norm."""
        bias = getattr(self.base, "bias", None)
        if bias is None:
            part.mul_(factors)
        else:
            part.sub_(bias).mul_(factors).add_(bias)

    def _stacked(self, wanted: tuple[str, ...]) -> tuple[tuple[str, ...], Tensor, Tensor]:
        """(checkpoints, A of all, B of all); kept as long as the same ones take part."""
        if self._stack is None or self._stack[0] != wanted:
            shares = [self.shares[lane] for lane in wanted]
            self._stack = wanted, torch.cat([one.a for one in shares]), torch.cat([one.b for one in shares])
        return self._stack

    def _mask(self, lanes: tuple[str, ...], mine: tuple[Span, ...], low: Tensor) -> Tensor:
        """1 where a token meets its own ranks `(tokens, ranks)`; made once a pass for all layers alike."""
        ranks = tuple(self.shares[lane].rank for lane in lanes)
        key = (lanes, ranks, low.shape[0])
        mask = self.current.masks.get(key)
        if mask is None:
            mask = torch.zeros_like(low)
            start = 0
            for span, rank in zip(mine, ranks, strict=True):
                mask[span.start:span.end, start:start + rank] = 1
                start += rank
            self.current.masks[key] = mask
        return mask


def _as(x: Tensor, like: Tensor) -> Tensor:
    return x if x.dtype == like.dtype else x.to(like.dtype)


def _addmm(out: Tensor, low: Tensor, b: Tensor) -> None:
    if out.dtype == b.dtype:
        out.addmm_(low, b)
    else:
        out.add_(low @ b)
