"""Several datasets as one: which rows of each come, in which order, and how often.

`concat` lays them one after the other. The interleaving strategies draw from them in turn, or by the shares that
`interleave_probs` gives: `interleave_under` until the first is empty, `interleave_over` until the last row of every
one was seen (those that are empty begin again), `interleave_once` until all rows came once. Names and meaning are
those of LLaMA-Factory and of `datasets.interleave_datasets`; shares need not add up to one.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

import numpy as np

STRATEGIES = ("concat", "interleave_under", "interleave_over", "interleave_once")
_LIMITED = re.compile(r"(.+)#([1-9][0-9]*)")
_DRAWS = 1 << 16


def limited(name: str, known: Collection[str] = ()) -> tuple[str, int | None]:
    """(dataset, how many of its rows at most): `alpaca#1000` asks for the first thousand rows of `alpaca`.

    A dataset that is really called so goes before.
    """
    found = None if name in known else _LIMITED.fullmatch(name)
    return (found[1], int(found[2])) if found else (name, None)


def order(lengths: Sequence[int], strategy: str, shares: Sequence[float], seed: int) -> np.ndarray:
    """The places of the rows to learn from, counted over all datasets one after the other; the same for a seed."""
    starts = np.cumsum([0, *lengths])
    if strategy == "concat" or sum(length > 0 for length in lengths) < 2:
        return np.arange(starts[-1])
    present = [number for number, length in enumerate(lengths) if length]
    sizes = np.array([lengths[number] for number in present], np.int64)
    if shares:
        weights = np.array([shares[number] for number in present], float)
        sources, places = _drawn(sizes, weights, strategy, np.random.default_rng(seed))
    else:
        sources, places = _in_turn(sizes, strategy)
    return starts[np.array(present)[sources]] + places


def expected(lengths: Sequence[int], strategy: str, shares: Sequence[float]) -> int:
    """About how many rows `order` gives."""
    present = [(length, share) for length, share in zip(lengths, shares or [1.0] * len(lengths), strict=True) if length]
    if strategy in ("concat", "interleave_once") or len(present) < 2:
        return sum(length for length, _ in present)
    total = sum(share for _, share in present)
    ends = [length * total / share for length, share in present]
    return round(min(ends) if strategy == "interleave_under" else max(ends))


def _in_turn(sizes: np.ndarray, strategy: str) -> tuple[np.ndarray, np.ndarray]:
    """One row of each dataset after the other: (dataset, row) of every draw."""
    if strategy == "interleave_once":
        sources, places = np.repeat(np.arange(len(sizes)), sizes), np.concatenate([np.arange(size) for size in sizes])
        turns = np.lexsort((sources, places))
        return sources[turns], places[turns]
    rounds = int(sizes.min() if strategy == "interleave_under" else sizes.max())
    sources, places = np.tile(np.arange(len(sizes)), rounds), np.repeat(np.arange(rounds), len(sizes))
    return sources, places % sizes[sources]


def _drawn(sizes: np.ndarray, weights: np.ndarray, strategy: str,
           dice: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draws by weight until the strategy ends: (dataset, row) of every draw."""
    taken, found = np.zeros(len(sizes), np.int64), []
    while True:
        open_weights = np.where(taken < sizes, weights, 0.0) if strategy == "interleave_once" else weights
        sources = dice.choice(len(sizes), _DRAWS, p=open_weights / open_weights.sum())
        places = np.empty(_DRAWS, np.int64)
        for number in range(len(sizes)):
            mine = np.flatnonzero(sources == number)
            places[mine] = taken[number] + np.arange(len(mine))
        emptied = [np.flatnonzero((sources == number) & (places == size - 1)) for number, size in enumerate(sizes)]
        taken += np.bincount(sources, minlength=len(sizes))
        ends = [int(one[0]) for one in emptied if len(one)]
        is_over = bool(ends) if strategy == "interleave_under" else bool((taken >= sizes).all())
        stop = (min(ends) if strategy == "interleave_under" else max(ends)) + 1 if is_over else _DRAWS
        kept = np.flatnonzero(places[:stop] < sizes[sources[:stop]]) if strategy == "interleave_once" else slice(stop)
        found.append((sources[kept], places[kept]))
        if is_over:
            all_sources, all_places = (np.concatenate(part) for part in zip(*found, strict=True))
            return all_sources, all_places % sizes[all_sources]
