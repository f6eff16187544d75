"""ROUGE-2 over jieba's words, as the older systems computed it."""

from __future__ import annotations

from studio.plugins.metrics import Row, _older

ORDER = 32
NEEDS = ("reference",)
SHARE = True
HIGHER = True
SCALE = 100
SIGNATURE = "jieba|rouge-chinese|F"
ALIASES = ("rouge-2", "predict_rouge-2")


def score(answer: str, reference: str, row: Row) -> float | None:
    """The F-measure of ROUGE-2; 0 when either side has no word."""
    return _older.rouge(answer, reference).two
