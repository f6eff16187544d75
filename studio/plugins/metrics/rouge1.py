"""ROUGE-1 over jieba's words, as the older systems computed it."""

from __future__ import annotations

from studio.plugins.metrics import Row, _older

ORDER = 31
NEEDS = ("reference",)
SHARE = True
HIGHER = True
SCALE = 100
SIGNATURE = "jieba|rouge-chinese|F"
ALIASES = ("rouge-1", "predict_rouge-1")


def score(answer: str, reference: str, row: Row) -> float | None:
    """The F-measure of ROUGE-1; 0 when either side has no word."""
    return _older.rouge(answer, reference).one
