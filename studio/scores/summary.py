"""scores.json: every score with its interval, every pair of models with its test, the buckets; what a report tells."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from studio.plugins.metrics import finite as or_zero
from studio.records import read_json, write_json
from studio.scores import compare, statistics
from studio.scores.browse import Predictions
from studio.scores.predictions import Prediction, read
from studio.scores.statistics import Interval, Paired

NAME = "scores.json"
MOST_ROWS = 2_048  # of pieces that are drawn again; more rows are put together by chance
DRAWS = 1_000
Options = Mapping[str, Any]


@dataclass
class Summary:
    """What an evaluation found; `plain` is scores.json.

    `scores` by model and metric, `missing` how many answers a metric did not apply to, `buckets` by metric and pair,
    `endings` how answers ended, `failures` metrics that broke: how often and why, `broken` lines that are none.
    """

    models: tuple[str, ...]
    metrics: tuple[str, ...]
    rows: int
    seconds: float
    scores: dict[str, dict[str, Interval]]
    missing: dict[str, dict[str, int]] = field(default_factory=dict)
    pairs: list[dict[str, Any]] = field(default_factory=list)
    buckets: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    endings: dict[str, dict[str, int]] = field(default_factory=dict)
    failures: Mapping[str, Sequence[Any]] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        scores = {model: {name: {**one.plain(), "missing": self.missing.get(model, {}).get(name, 0)}
                          for name, one in found.items()} for model, found in self.scores.items()}
        return {"scores": scores, "pairs": self.pairs, "buckets": self.buckets, "seconds": round(self.seconds, 3),
                "rows": self.rows, "models": list(self.models), "metrics": list(self.metrics),
                "endings": self.endings, "failures": {name: list(one) for name, one in self.failures.items()}}


def summarise(predictions: Predictions, metrics: Sequence[str], models: Sequence[str] = (),
              options: Options | None = None, thresholds: Mapping[str, float] | None = None,
              failures: Mapping[str, Sequence[Any]] | None = None) -> Summary:
    """The scores of models (all, in the order of the file) by these metrics; the first model is the base."""
    names = tuple(models) or predictions.models
    wholes = _Wholes(predictions, names, metrics, options or {})
    scores: dict[str, dict[str, Interval]] = {}
    missing: dict[str, dict[str, int]] = {}
    for model in names:
        answered = len(predictions.answered(model))
        scores[model], missing[model] = {}, {}
        for name in metrics:
            found = wholes.interval(model, name)
            scores[model][name] = statistics.interval(predictions.scores(model, name)) if found is None else found
            missing[model][name] = answered - scores[model][name].n
    seconds = sum(float(np.nansum(predictions.figures(model, "seconds"))) for model in names)
    made = Summary(names, tuple(metrics), len(predictions.rows), seconds, scores, missing,
                   endings=_endings(predictions, names), failures=failures or {})
    for name in metrics:
        made.pairs += _pairs(predictions, names, name, wholes)
        if name not in wholes.names and compare.has_sides(name):
            made.buckets[name] = _buckets(predictions, names, name, thresholds)
    return made


def write(folder: Path, summary: Summary) -> Path:
    """Write scores.json atomically into a run's results."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / NAME, summary.plain())
    return folder / NAME


def load(folder: Path) -> Summary | None:
    """The summary in a folder of results; None when there is none."""
    found = read_json(folder / NAME)
    try:
        return None if found is None else of_plain(found)
    except (KeyError, TypeError, AttributeError):
        return None


def of_plain(found: Mapping[str, Any]) -> Summary:
    """The summary that `plain` gave; raises KeyError or TypeError for anything else."""
    scores = {model: {name: Interval(one["value"], one["low"], one["high"], one["n"], one["how"],
                                     one.get("method", "")) for name, one in by.items()}
              for model, by in found["scores"].items()}
    missing = {model: {name: one.get("missing", 0) for name, one in by.items()}
               for model, by in found["scores"].items()}
    metrics = found.get("metrics") or list(next(iter(scores.values()), {}))
    return Summary(tuple(found.get("models") or scores), tuple(metrics), found["rows"], found["seconds"], scores,
                   missing, list(found.get("pairs", [])), dict(found.get("buckets", {})),
                   dict(found.get("endings", {})), dict(found.get("failures", {})))


def _endings(predictions: Predictions, models: Sequence[str]) -> dict[str, dict[str, int]]:
    return {model: predictions.endings(model) for model in models}


def _pairs(predictions: Predictions, models: Sequence[str], metric: str, wholes: _Wholes) -> list[dict[str, Any]]:
    """Every two models on the rows that both have answered; `adjusted` is p for so many pairs looked at together."""
    found = []
    for one, other in itertools.combinations(models, 2):
        if metric in wholes.names:
            told = wholes.paired(one, other, metric)
        else:
            told = statistics.paired(predictions.scores(one, metric), predictions.scores(other, metric))
        if told is not None:
            found.append({"a": one, "b": other, "metric": metric, **told.plain()})
    for pair, adjusted in zip(found, statistics.adjusted([pair["p"] for pair in found])):
        pair["adjusted"] = adjusted
    return found


def _buckets(predictions: Predictions, models: Sequence[str], metric: str,
             thresholds: Mapping[str, float] | None) -> list[dict[str, Any]]:
    """How many rows each model has fixed and broken beside the first."""
    columns = [predictions.scores(model, metric) for model in models]
    threshold = compare.threshold_of(metric, *columns, chosen=thresholds)
    higher = compare.is_higher(metric)
    return [{"a": models[0], "b": other, "threshold": threshold,
             **compare.buckets(columns[0], column, threshold, higher).counts}
            for other, column in zip(models[1:], columns[1:])]


class _Wholes:
    """The metrics that only all rows together have: in pieces where the metric has such, else from all the texts."""

    def __init__(self, predictions: Predictions, models: Sequence[str], metrics: Sequence[str],
                 options: Options) -> None:
        found = {name: compare.module_of(name) for name in metrics}
        self._metrics = {name: one for name, one in found.items()
                         if one is not None and (hasattr(one, "parts") or hasattr(one, "whole"))}
        self.names, self._options = frozenset(self._metrics), options
        self._pieces: dict[tuple[str, str], dict[int, tuple[float, ...]]] = {}
        self._texts: dict[str, dict[int, tuple[str, str]]] = {}
        if self._metrics:
            self._read(predictions, models)

    def interval(self, model: str, metric: str) -> Interval | None:
        """The score with its interval; None for a metric that is a mean of answers."""
        if metric not in self._metrics:
            return None
        one = self._metrics[metric]
        if hasattr(one, "parts"):
            table = self._table(model, metric)
            if not len(table):
                return Interval(None, None, None, 0, statistics.NONE)
            value = self._total(one, table.sum(axis=0))
            if len(table) == 1:
                return Interval(value, None, None, 1, statistics.NONE)
            drawn = self._drawn(one, [table])[0]
            low, high = np.quantile(drawn, (0.025, 0.975))
            return Interval(value, float(low), float(high), len(table), statistics.BOOTSTRAP, "percentile")
        texts = list(self._texts.get(model, {}).values())
        return statistics.interval_of_whole(lambda rows: self._whole(one, [texts[row] for row in rows]), len(texts))

    def paired(self, one: str, other: str, metric: str) -> Paired | None:
        """What the other has over the one, by drawing the same rows again for both; None without pieces."""
        module = self._metrics[metric]
        mine, theirs = self._pieces.get((one, metric), {}), self._pieces.get((other, metric), {})
        both = sorted(mine.keys() & theirs.keys())
        if not hasattr(module, "parts") or len(both) < 2:
            return None
        tables = [np.array([pieces[row] for row in both], float) for pieces in (mine, theirs)]
        values = [self._total(module, table.sum(axis=0)) for table in tables]
        drawn = self._drawn(module, tables)
        return statistics.paired_of_draws(values[1] - values[0], drawn[1] - drawn[0], len(both))

    def _read(self, predictions: Predictions, models: Sequence[str]) -> None:
        with_texts = any(not hasattr(one, "parts") for one in self._metrics.values())
        for one in read(predictions.path):
            if one.model in models:
                self._keep(one, with_texts)

    def _keep(self, one: Prediction, with_texts: bool) -> None:
        for name in self._metrics:
            if name in one.parts:
                self._pieces.setdefault((one.model, name), {})[one.row] = one.parts[name]
        if with_texts:
            self._texts.setdefault(one.model, {})[one.row] = (one.answer, one.reference)

    def _table(self, model: str, metric: str) -> np.ndarray:
        return np.array(list(self._pieces.get((model, metric), {}).values()), float)

    def _drawn(self, module: Any, tables: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The score of rows drawn again and again, the same rows for each table."""
        rng, rows = np.random.default_rng(0), len(tables[0])
        if rows > MOST_ROWS:
            group = rng.permutation(np.arange(rows) % MOST_ROWS)
            order = np.argsort(group, kind="stable")
            begins = np.searchsorted(group[order], np.arange(MOST_ROWS))
            tables, rows = [np.add.reduceat(table[order], begins, axis=0) for table in tables], MOST_ROWS
        often = rng.multinomial(rows, np.full(rows, 1 / rows), size=DRAWS)
        return [np.array([self._total(module, sums) for sums in often @ table]) for table in tables]

    def _total(self, module: Any, sums: np.ndarray) -> float:
        return or_zero(float(module.total(tuple(sums.tolist()), self._options)))

    def _whole(self, module: Any, texts: Sequence[tuple[str, str]]) -> float:
        answers, references = [one for one, _ in texts], [other for _, other in texts]
        return float(module.whole(answers, references, self._options))


def shown(one: Interval | Mapping[str, Any], scale: float = 1.0) -> tuple[str, str, str]:
    """(value, low, high) as they may be written: never finer than the interval allows; "–" for what there is not."""
    value, low, high = (one.value, one.low, one.high) if isinstance(one, Interval) \
        else (one.get("value", one.get("difference")), one.get("low"), one.get("high"))
    digits = statistics.decimals(low, high, scale)
    return tuple("–" if part is None else written(part * scale, digits) for part in (value, low, high))  # type: ignore[return-value]


def ranged(low: str, high: str) -> str:
    """An interval as it is written."""
    return f"{low} – {high}" if "–" not in (low, high) else "–"


def written(value: float, digits: int) -> str:
    """A figure with so many digits after the point, a true minus in front of what is below nothing."""
    text = f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", "\u2212")
