"""Distinct-n: how many different runs of n words all answers have; few when they are much alike."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.args.fields import Group, arg
from studio.plugins.metrics import NONE, ngrams, option, tokens

ORDER = 50
NEEDS: tuple[str, ...] = ()
SHARE = False
HIGHER = True
SCALE = 100


class Arguments(Group):
    """How long the runs are."""

    group = "metrics"

    distinct_n: int = arg(2, ge=1, le=8)


def _signature(options: Mapping[str, Any] = NONE) -> str:
    return f"n:{option(options, Arguments, 'distinct_n')}"


SIGNATURE = _signature


def whole(answers: Sequence[str], references: Sequence[str] = (), options: Mapping[str, Any] = NONE) -> float:
    """The share of different runs among all runs of n words; 0 where no answer has n words."""
    n = option(options, Arguments, "distinct_n")
    different: set[tuple[str, ...]] = set()
    count = 0
    for answer in answers:
        runs = ngrams(tokens(answer), n)
        different.update(runs)
        count += len(runs)
    return len(different) / count if count else 0.0
