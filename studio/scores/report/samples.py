"""Which rows a report shows: of every bucket a few, drawn by chance with a fixed seed, in the order of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from studio.scores import compare
from studio.scores.browse import Predictions, Shown, View
from studio.scores.report.wording import bucketed
from studio.scores.summary import Summary

EACH = 8
WITHOUT_BUCKETS = 16


@dataclass(frozen=True)
class Drawn:
    """Some rows of a bucket ("" for all rows) and how many it has."""

    bucket: str
    count: int
    rows: Sequence[Shown]


def drawn(summary: Summary, predictions: Predictions) -> list[Drawn]:
    """Rows of each bucket of the first model and the last; without two models, of all rows."""
    metric = bucketed(summary)
    if len(summary.models) < 2 or not metric:
        return [_of(predictions, View(models=summary.models), "", WITHOUT_BUCKETS)]
    threshold = summary.buckets[metric][-1]["threshold"]
    view = View(models=summary.models, metric=metric, threshold=threshold)
    return [_of(predictions, view, bucket, EACH) for bucket in compare.BUCKETS]


def _of(predictions: Predictions, view: View, bucket: str, most: int) -> Drawn:
    parts = predictions.buckets(view)
    places = parts.rows(bucket) if parts is not None and bucket else np.arange(len(predictions.rows))
    chosen = np.sort(np.random.default_rng(0).permutation(len(places))[:most])
    return Drawn(bucket, len(places), [predictions.shown(int(places[place]), view, parts) for place in chosen])
