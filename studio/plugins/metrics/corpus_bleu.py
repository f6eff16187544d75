"""Corpus BLEU by sacrebleu, counted over all answers together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.args.fields import Group, Text, arg
from studio.plugins.metrics import NONE, Row, _corpus, option

ORDER = 40
NEEDS = ("reference",)
SHARE = False
HIGHER = True
SCALE = 100


class Arguments(Group):
    """How a text becomes words."""

    group = "metrics"

    corpus_bleu_tokenize: Text = arg("zh", choices=("zh", "13a", "intl", "char", "none"))


def _metric(options: Mapping[str, Any]) -> Any:
    return _corpus.bleu(option(options, Arguments, "corpus_bleu_tokenize"))


def _signature(options: Mapping[str, Any] = NONE) -> str:
    return _corpus.signature(_metric(options), "BLEU")


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
