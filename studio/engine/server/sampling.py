"""The next token of every row of a batch: adjusted, filtered and drawn row by row as asked, in a few passes over all.

In this order, as transformers' `generate` and the OpenAI protocol define each: the grammar's mask, logit_bias,
repetition penalty (over prompt and answer), presence and frequency penalties (over the answer), temperature, top_k,
top_p, min_p. Where several tokens are equally likely at the border of a filter, all of them are kept.

A token is drawn by one number in [0, 1) that is made of (seed, choice, position) alone, so an answer depends neither on
its neighbours in the batch nor on when it was asked. Log probabilities are of the model's own distribution, before any
of the above.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import pad

_WORD = (1 << 64) - 1
_CANDIDATES = 128  # as many of the likeliest are sorted first; nearly always they hold top_p
_MORE_CANDIDATES = 16  # times as many are sorted next
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen; `temperature` 0 takes the likeliest, `top_k` 0, `top_p` 1 and `min_p` 0 leave out none."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    seed: int = field(default_factory=lambda: secrets.randbits(31))
    logit_bias: Mapping[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Sampling:
        """The sampling of a request; what it leaves out or gives as None has its default, a seed is then drawn."""
        known = {one.name for one in fields(cls)}
        said = {name: value for name, value in values.items() if name in known and value is not None}
        if "logit_bias" in said:
            said["logit_bias"] = {int(one): float(value) for one, value in said["logit_bias"].items()}
        return cls(**said)

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken."""
        return self.temperature <= 0

    @property
    def adjusts(self) -> bool:
        """Whether anything but the temperature and the filters changes the logits."""
        return bool(self.logit_bias or self.presence_penalty or self.frequency_penalty) or self.repetition_penalty != 1


class Mask(Protocol):
    """What a row's grammar does to it."""

    def forbid(self, scores: Tensor) -> None:
        """Set to -inf, in place, every token of `scores` (vocabulary,) that may not come next."""

    def accept(self, token_id: int) -> None:
        """Take note of the next token."""


class RowState:
    """One answer in the making: what was asked, what has been said; `logprobs` is how many alternatives are wanted."""

    def __init__(self, sampling: Sampling, prompt_ids: Sequence[int], choice: int = 0, logprobs: int | None = None,
                 grammar: Mask | None = None) -> None:
        self.sampling = sampling
        self.prompt_ids = prompt_ids
        self.choice = choice
        self.logprobs = logprobs
        self.grammar = grammar
        self.position = 0
        self.counts: dict[int, int] = {}

    def push(self, token_id: int) -> None:
        """Take note of the token that was chosen, or that an answer begins with."""
        self.counts[token_id] = self.counts.get(token_id, 0) + 1
        self.position += 1
        if self.grammar is not None:
            self.grammar.accept(token_id)

    @property
    def chance(self) -> float:
        """The number in [0, 1) that draws the next token."""
        return uniform(self.sampling.seed, self.choice, self.position)

    @cached_property
    def _prompt(self) -> Tensor:
        return torch.tensor(sorted(set(self.prompt_ids)), dtype=torch.long)

    def adjust(self, scores: Tensor) -> None:
        """Work the grammar, the biases and the penalties into this row's scores (vocabulary,), in place."""
        asked = self.sampling
        if self.grammar is not None:
            self.grammar.forbid(scores)
        if asked.logit_bias:
            known = {one: value for one, value in asked.logit_bias.items() if 0 <= one < len(scores)}
            scores[list(known)] += torch.tensor(list(known.values()), dtype=scores.dtype, device=scores.device)
        if asked.repetition_penalty == 1 and not self.counts:
            return
        said = torch.tensor(list(self.counts), dtype=torch.long)
        if asked.repetition_penalty != 1:
            both = torch.cat((self._prompt, said)).to(scores.device)
            found = scores[both]
            penalty = asked.repetition_penalty
            scores[both] = torch.where(found < 0, found * penalty, found / penalty)
        if asked.presence_penalty or asked.frequency_penalty:
            counts = torch.tensor(list(self.counts.values()), dtype=scores.dtype)
            scores[said.to(scores.device)] -= \
                (asked.presence_penalty + asked.frequency_penalty * counts).to(scores.device)


@dataclass(frozen=True, slots=True)
class Picked:
    """The chosen token of each row, its log probability and (id, log probability) of the likeliest where asked for.

    The id is -1 where there is nothing to choose from: the logits are no numbers, or the grammar forbids every token.
    """

    ids: list[int]
    logprobs: list[float | None]
    tops: list[list[tuple[int, float]] | None]


class Sampler:
    """Chooses the next token of every row at once."""

    def pick(self, logits: Tensor, rows: Sequence[RowState]) -> Picked:
        """The next token of each row of `logits` (rows, vocabulary), which are left as they are."""
        scores = logits
        changed = [place for place, row in enumerate(rows) if row.sampling.adjusts or row.grammar is not None]
        if changed:
            scores = logits.float() if logits.dtype != torch.float32 else logits.clone()
            for place in changed:
                rows[place].adjust(scores[place])
        best = scores.amax(dim=-1)
        ids = [-1] * len(rows)
        for are_greedy, choose in ((True, _likeliest), (False, _drawn)):
            asked = [place for place, row in enumerate(rows) if row.sampling.is_greedy is are_greedy]
            if asked:
                whole = len(asked) == len(rows)
                chosen = choose(scores if whole else scores[asked], best if whole else best[asked],
                                [rows[place] for place in asked])
                for place, one in zip(asked, chosen, strict=True):
                    ids[place] = one
        ids = [one if math.isfinite(top) else -1 for one, top in zip(ids, best.tolist(), strict=True)]
        return Picked(ids, *_logprobs(logits, ids, rows))


def filtered(scores: Tensor, samplings: Sequence[Sampling], best: Tensor | None = None) -> Tensor:
    """The weights (rows, vocabulary) by which tokens are drawn: exp of the scaled scores, 0 for what is left out.

    A row's largest weight is 1; divided by their sum they are probabilities.
    """
    best = scores.amax(dim=-1) if best is None else best
    heat = torch.tensor([[one.temperature] for one in samplings], dtype=torch.float32, device=scores.device)
    scaled = (scores.float() - best.float()[:, None]).div_(heat)
    weights = scaled.exp()
    size = scores.shape[-1]
    if any(0 < one.top_k < size for one in samplings) or any(one.top_p < 1 for one in samplings):
        _leave_out(weights, scaled, samplings)
    if any(one.min_p > 0 for one in samplings):  # of the likeliest token's weight, which is 1
        least = torch.tensor([[one.min_p] for one in samplings], dtype=torch.float32, device=scores.device)
        weights.masked_fill_(weights < least, 0)
    return weights


def _leave_out(weights: Tensor, scaled: Tensor, samplings: Sequence[Sampling]) -> None:
    """Set to 0 the weights that top_k and then top_p leave out."""
    size = scaled.shape[-1]
    counts = [one.top_k if 0 < one.top_k < size else 0 for one in samplings]
    ordered = scaled.topk(min(size, max(_CANDIDATES, *counts))).values
    if any(counts):
        places = torch.tensor([[max(one, 1) - 1] for one in counts], device=scaled.device)
        unbound = torch.tensor([[not one] for one in counts], device=scaled.device)
        weights.masked_fill_(scaled < ordered.gather(1, places).masked_fill_(unbound, -math.inf), 0)
    if any(one.top_p < 1 for one in samplings):
        weights.masked_fill_(scaled < _nucleus(weights, scaled, ordered, [one.top_p for one in samplings]), 0)


def _nucleus(weights: Tensor, scaled: Tensor, ordered: Tensor, top_ps: Sequence[float]) -> Tensor:
    """The least score (rows, 1) among the likeliest tokens that together just reach top_p of a row's weight.

    `ordered` are the largest scores (rows, n); more of them are sorted for rows in which these do not reach it.
    """
    asked = torch.tensor([[one] for one in top_ps], dtype=torch.float64, device=scaled.device)
    reached = ordered.double().exp_().cumsum(dim=-1).div_(weights.sum(dim=-1, keepdim=True, dtype=torch.float64))
    wanted = (reached < asked).sum(dim=-1, keepdim=True)
    least = ordered.gather(1, wanted.clamp(max=ordered.shape[1] - 1)).masked_fill_(asked >= 1, -math.inf)
    short = ((wanted[:, 0] == ordered.shape[1]) & (asked[:, 0] < 1)).nonzero()[:, 0]
    if len(short) and ordered.shape[1] < scaled.shape[1]:
        more = scaled[short].topk(min(scaled.shape[1], ordered.shape[1] * _MORE_CANDIDATES)).values
        least[short] = _nucleus(weights[short], scaled[short], more, [top_ps[one] for one in short.tolist()])
    return least


def _likeliest(scores: Tensor, best: Tensor, rows: Sequence[RowState]) -> list[int]:
    """The likeliest token of each row, the first of several."""
    return scores.argmax(dim=-1).tolist()


def _drawn(scores: Tensor, best: Tensor, rows: Sequence[RowState]) -> list[int]:
    """A token of each row by its chance: first the block of the vocabulary, then the token in it."""
    weights = filtered(scores, [row.sampling for row in rows], best)
    blocks = pad(weights, (0, -weights.shape[1] % _BLOCK)).view(len(rows), -1, _BLOCK)
    chances = torch.tensor([[row.chance] for row in rows], dtype=torch.float64, device=scores.device)
    sums = blocks.sum(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    wanted = chances * sums[:, -1:]
    block = _reached(sums, wanted)
    before = torch.where(block > 0, sums.gather(1, (block - 1).clamp(min=0)), 0)
    inside = blocks[torch.arange(len(rows), device=scores.device), block[:, 0]].cumsum(dim=-1, dtype=torch.float64)
    return (block * _BLOCK + _reached(inside, wanted - before))[:, 0].tolist()


def _reached(sums: Tensor, wanted: Tensor) -> Tensor:
    """Where running sums (rows, n) first pass what is wanted (rows, 1); never at a place that adds nothing."""
    last = sums[:, -1:]
    below = torch.nextafter(last, torch.zeros_like(last))
    return torch.searchsorted(sums, torch.minimum(wanted, below), right=True).clamp_(max=sums.shape[1] - 1)


def _logprobs(logits: Tensor, ids: Sequence[int], rows: Sequence[RowState]) \
        -> tuple[list[float | None], list[list[tuple[int, float]] | None]]:
    """The log probabilities of the chosen and of the likeliest tokens in the rows that want them."""
    said: list[float | None] = [None] * len(rows)
    tops: list[list[tuple[int, float]] | None] = [None] * len(rows)
    wanted = [place for place, row in enumerate(rows) if row.logprobs is not None and ids[place] >= 0]
    if not wanted:
        return said, tops
    own = (logits if len(wanted) == len(rows) else logits[wanted]).float()
    whole = own.logsumexp(dim=-1)
    count = min(max(rows[place].logprobs or 0 for place in wanted), own.shape[-1])
    chosen = own.gather(1, torch.tensor([[ids[place]] for place in wanted], device=own.device))[:, 0] - whole
    likeliest = own.topk(count) if count else None
    values = (likeliest.values - whole[:, None]).tolist() if likeliest else []
    indices = likeliest.indices.tolist() if likeliest else []
    for number, (place, logprob) in enumerate(zip(wanted, chosen.tolist(), strict=True)):
        said[place] = logprob
        many = rows[place].logprobs or 0
        tops[place] = list(zip(indices[number][:many], values[number][:many], strict=True)) if many else []
    return said, tops


def uniform(seed: int, choice: int, position: int) -> float:
    """A number in [0, 1) that looks random and is always the same for the same three (SplitMix64 over each)."""
    state = 0
    for value in (seed, choice, position):
        state = _mixed(state ^ (value & _WORD))
    return (state >> 11) / (1 << 53)


def _mixed(state: int) -> int:
    state = (state + 0x9E3779B97F4A7C15) & _WORD
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _WORD
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _WORD
    return state ^ (state >> 31)
