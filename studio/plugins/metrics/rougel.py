"""ROUGE-L over jieba's words, as the older systems computed it."""

from __future__ import annotations

from studio.plugins.metrics import Row, _older

ORDER = 33
NEEDS = ("reference",)
SHARE = True
HIGHER = True
SCALE = 100
SIGNATURE = "jieba|rouge-chinese|F"
ALIASES = ("rouge-l", "predict_rouge-l")


def score(answer: str, reference: str, row: Row) -> float | None:
    """The F-measure of ROUGE-L; 0 when either side has no word."""
    return _older.rouge(answer, reference).longest
