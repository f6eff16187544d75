"""Sacrebleu's scores in pieces: the counts of one pair, and the score of their sums."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

from studio.plugins.metrics import Row, accepted, finite

Counts = tuple[float, ...]


@cache
def bleu(tokenize: str) -> Any:
    """BLEU as sacrebleu has it; orders that no answer is long enough for are left out."""
    from sacrebleu.metrics import BLEU

    return BLEU(tokenize=tokenize, effective_order=True, force=True)


@cache
def chrf(word_order: int) -> Any:
    """chrF, with word_order 2 chrF++."""
    from sacrebleu.metrics import CHRF

    return CHRF(word_order=word_order)


def counts(metric: Any, answer: str, reference: str, row: Row) -> Counts:
    """What one pair adds."""
    streams = [[one] for one in accepted(reference, row)]
    return tuple(float(one) for one in metric._extract_corpus_statistics([answer], streams)[0])


def total(metric: Any, sums: Sequence[float]) -> float:
    """The score of the summed counts, 0 to 1."""
    return finite(float(metric._aggregate_and_compute([[int(one) for one in sums]]).score) / 100)


def whole(metric: Any, answers: Sequence[str], references: Sequence[str]) -> float:
    """The score of all pairs, 0 to 1; 0 for none."""
    if not answers:
        return 0.0
    return finite(float(metric.corpus_score(list(answers), [list(references)]).score) / 100)


def signature(metric: Any, name: str) -> str:
    """How the score is quoted, as sacrebleu asks for."""
    metric.corpus_score(["1"], [["1"]])  # it tells only of what it has scored
    return f"{name}|{metric.get_signature().format()}"
