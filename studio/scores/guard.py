"""The forgetting guard: short questions of everyday kinds, asked before and after, and in plain words what was lost.

The questions are guard.jsonl of the root's own data, else those that come with the studio; an answer is right when the
row's pattern stands in it. In an evaluation's results: guard/predictions.jsonl and guard.json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from studio.data.counts import Skipped
from studio.errors import InputError
from studio.records import read_json, write_json
from studio.sample import Message, Sample
from studio.scores import statistics
from studio.scores.asked import Question, Questions, holds_out
from studio.scores.compare import RIGHT
from studio.scores.predictions import Prediction
from studio.scores.statistics import Interval
from studio.specs.evaluate import GENERATION
from studio.workspace import Workspace

SUITE, NAME, FOLDER = "guard.jsonl", "guard.json", "guard"
GENERAL = "general"
KINDS = ("talk", "sums", "instructions", "refusals", "format")
LANGUAGES = ("en", "zh")
MOST_TOKENS = 128
LONGEST_READ = 4_000  # characters of an answer that are looked at


@dataclass(frozen=True)
class Item:
    """One question of the suite; `right` is the pattern of a right answer, `answer` one such answer."""

    number: int
    question: str
    answer: str
    kind: str
    lang: str
    right: re.Pattern[str]

    @property
    def area(self) -> str:
        """What is told apart: a kind in a language."""
        return f"{self.lang}.{self.kind}"


@dataclass(frozen=True)
class Guard:
    """What the suite found: shares of right answers by model and area, and what each model has over the first.

    Areas are `<language>.<kind>`, and `general` for all questions together; `pairs` are as in scores.json, with the
    area in the place of the metric, `adjusted` being p for as many areas as were looked at.
    """

    models: tuple[str, ...]
    areas: tuple[str, ...]
    rows: int
    scores: Mapping[str, Mapping[str, Interval]]
    pairs: tuple[Mapping[str, Any], ...]

    def plain(self) -> dict[str, Any]:
        """As guard.json has it."""
        return {"models": list(self.models), "areas": list(self.areas), "rows": self.rows,
                "scores": {model: {area: one.plain() for area, one in by.items()}
                           for model, by in self.scores.items()}, "pairs": [dict(pair) for pair in self.pairs]}

    def of(self, model: str, area: str = GENERAL) -> Mapping[str, Any] | None:
        """What a model has over the first in an area; None for the first itself."""
        return next((pair for pair in self.pairs if (pair["b"], pair["area"]) == (model, area)), None)


def alone(spec: Any, workspace: Workspace) -> bool:
    """Whether the suite is all that is asked: it is wanted, and no other rows are there.

    Raises what reading the run's spec raises.
    """
    return bool(spec.guard and spec.task == GENERATION and not spec.dataset
                and not (spec.eval_run and holds_out(spec.eval_run, workspace)))


def suite(workspace: Workspace) -> tuple[Item, ...]:
    """The questions; raises InputError guard_broken for a suite of one's own that is none."""
    path = workspace.data / SUITE
    path = path if path.is_file() else workspace.shipped_data / SUITE
    found: list[Item] = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("guard_broken", path=str(path), line=0, reason=str(error)) from None
    for place, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            found.append(Item(len(found), str(row["instruction"]), str(row["output"]), str(row["kind"]),
                              str(row["lang"]), re.compile(row["right"], re.DOTALL)))
        except (ValueError, KeyError, TypeError, re.error) as error:
            raise InputError("guard_broken", path=str(path), line=place, reason=str(error)) from None
        if found[-1].kind not in KINDS or found[-1].lang not in LANGUAGES:
            raise InputError("guard_broken", path=str(path), line=place, reason=found[-1].area)
    if not found:
        raise InputError("guard_broken", path=str(path), line=0, reason="–")
    return tuple(found)


def questions(items: Iterable[Item]) -> Questions:
    """The suite as rows of an evaluation."""
    rows = tuple(Question(one.number, Sample((Message("user", one.question), Message("assistant", one.answer))),
                          (SUITE, one.number + 1)) for one in items)
    return Questions(rows, Skipped())


def is_right(item: Item, answer: str) -> bool:
    """Whether an answer is one that the suite takes."""
    return item.right.search(answer.strip()[:LONGEST_READ]) is not None


def scored(items: Sequence[Item], predictions: Iterable[Prediction]) -> list[Prediction]:
    """The answers with their score, in the order of questions and models; what was never asked is left out."""
    known = {one.number: one for one in items}
    kept = {(one.row, one.model): one for one in predictions if one.row in known}
    return [replace(one, scores={RIGHT: float(is_right(known[one.row], one.answer))})
            for _, one in sorted(kept.items(), key=lambda pair: pair[0][0])]


def summarise(items: Sequence[Item], predictions: Iterable[Prediction], models: Sequence[str]) -> Guard:
    """What scored answers amount to; the first model is the one before."""
    values = {model: np.full(len(items), np.nan) for model in models}
    for one in predictions:
        if one.model in values:
            values[one.model][one.row] = one.scores.get(RIGHT, np.nan)
    areas = [area for lang in LANGUAGES for kind in KINDS if (area := f"{lang}.{kind}") in {i.area for i in items}]
    rows = {GENERAL: np.arange(len(items)),
            **{area: np.array([one.number for one in items if one.area == area]) for area in areas}}
    scores = {model: {area: statistics.interval(column[places]) for area, places in rows.items()}
              for model, column in values.items()}
    pairs = [pair for other in models[1:] for pair in _pairs(models[0], other, values, rows)]
    return Guard(tuple(models), tuple(areas), len(items), scores, tuple(pairs))


def _pairs(base: str, other: str, values: Mapping[str, np.ndarray],
           rows: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """One model beside the first in every area; the areas are looked at together, so their p is adjusted."""
    found = []
    for area, places in rows.items():
        told = statistics.paired(values[base][places], values[other][places])
        if told is not None:
            found.append({"a": base, "b": other, "area": area, **told.plain()})
    parts = [pair for pair in found if pair["area"] != GENERAL]
    for pair, adjusted in zip(parts, statistics.adjusted([pair["p"] for pair in parts])):
        pair["adjusted"] = adjusted
    return [{"adjusted": pair["p"], **pair} for pair in found]


def write(results: Path, guard: Guard) -> None:
    """Write guard.json atomically."""
    write_json(results / NAME, guard.plain())


def load(results: Path) -> Guard | None:
    """What the suite found in an evaluation's results; None where it was not asked."""
    found = read_json(results / NAME)
    if found is None:
        return None
    try:
        scores = {model: {area: Interval(one["value"], one["low"], one["high"], one["n"], one["how"])
                          for area, one in by.items()} for model, by in found["scores"].items()}
        return Guard(tuple(found["models"]), tuple(found["areas"]), int(found["rows"]), scores, tuple(found["pairs"]))
    except (KeyError, TypeError, AttributeError):
        return None
