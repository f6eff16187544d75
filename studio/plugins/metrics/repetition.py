"""Repetition: which share of an answer says again what it said before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.args.fields import Group, arg
from studio.plugins.metrics import NONE, Row, ngrams, option, tokens

ORDER = 51
NEEDS: tuple[str, ...] = ()
SHARE = True
HIGHER = False
SCALE = 100


class Arguments(Group):
    """How long the runs are."""

    group = "metrics"

    repetition_n: int = arg(4, ge=1, le=32)


def _signature(options: Mapping[str, Any] = NONE) -> str:
    return f"n:{option(options, Arguments, 'repetition_n')}"


SIGNATURE = _signature


def score(answer: str, reference: str, row: Row) -> float | None:
    """The share of runs of n words that stood in the answer already; 0 for an answer of fewer words."""
    runs = ngrams(tokens(answer), option(row.options, Arguments, "repetition_n"))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0
