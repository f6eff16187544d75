"""chrF by sacrebleu: runs of characters, counted over all answers together; with word order 2 it is chrF++."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.args.fields import Group, arg
from studio.plugins.metrics import NONE, Row, _corpus, option

ORDER = 41
NEEDS = ("reference",)
SHARE = False
HIGHER = True
SCALE = 100


class Arguments(Group):
    """Whether words count beside characters."""

    group = "metrics"

    chrf_word_order: int = arg(0, ge=0, le=4)


def _metric(options: Mapping[str, Any]) -> Any:
    return _corpus.chrf(option(options, Arguments, "chrf_word_order"))


def _signature(options: Mapping[str, Any] = NONE) -> str:
    words = "+" * option(options, Arguments, "chrf_word_order")
    return _corpus.signature(_metric(options), f"chrF2{words}")


SIGNATURE = _signature


def whole(answers: Sequence[str], references: Sequence[str], options: Mapping[str, Any] = NONE) -> float:
    """The score of all pairs, 0 to 1."""
    return _corpus.whole(_metric(options), answers, references)


def parts(answer: str, reference: str, row: Row) -> tuple[float, ...]:
    """What one pair adds, measured against every accepted answer."""
    return _corpus.counts(_metric(row.options), answer, reference, row)


def total(sums: Sequence[float], options: Mapping[str, Any] = NONE) -> float:
    """The score of the summed counts, 0 to 1."""
    return _corpus.total(_metric(options), sums)
