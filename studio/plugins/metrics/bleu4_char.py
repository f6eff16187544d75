"""BLEU-4 over characters, as the older systems computed it: the mean over answers, not a corpus BLEU."""

from __future__ import annotations

from studio.plugins.metrics import Row, _older

ORDER = 30
NEEDS = ("reference",)
SHARE = True
HIGHER = True
SCALE = 100
SIGNATURE = "nltk|char|method3"
ALIASES = ("bleu-4", "predict_bleu-4")


def score(answer: str, reference: str, row: Row) -> float | None:
    """nltk's sentence BLEU of the characters; 0 when either side is empty."""
    return _older.bleu4(answer, reference)
