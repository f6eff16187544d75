"""The guard's verdict in plain words: what a model gained on the user's task, and what it lost beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.scores import compare, guard, statistics, summary
from studio.scores.guard import GENERAL, Guard
from studio.scores.report import wording
from studio.scores.report.wording import Said, Speech
from studio.scores.summary import Summary, shown
from studio.texts import say

MOST_PARTS = 3
ROWS_OF_NOTE = 2  # answers fewer, from which on an area is named though it may be chance


@dataclass(frozen=True)
class Line:
    """One area of the suite as a table shows it: percent before and after, points between, whether that is told."""

    area: str
    label: str
    before: float | None
    after: float | None
    points: float | None
    is_told: bool


@dataclass(frozen=True)
class View:
    """What a page shows of the guard: a sentence for each model beside the first, and the areas of the last one."""

    sentences: tuple[str, ...]
    lines: tuple[Line, ...]
    models: tuple[str, ...]
    rows: int


def view(results: Path, lang: str) -> View | None:
    """The guard of a run's results, ready to be shown; None where it was not asked."""
    found = guard.load(results)
    if found is None or not found.models:
        return None
    spoken = tuple(one(lang) for one in sentences(found, summary.load(results)))
    return View(spoken, lines(found, lang), found.models, found.rows)


def lines(found: Guard, lang: str) -> tuple[Line, ...]:
    """The areas of the last model beside the first."""
    first, last = found.models[0], found.models[-1]
    made = []
    for area in (GENERAL, *found.areas):
        pair = found.of(last, area)
        before = found.scores[first][area].value if first != last else None  # of one model there is no before
        after = found.scores[last][area].value
        made.append(Line(area, area_name(area)(lang), _percent(before), _percent(after),
                         None if pair is None else 100 * float(pair["difference"]), pair is not None and _told(pair)))
    return tuple(made)


def sentences(found: Guard, task: Summary | None) -> list[Said]:
    """What became of each model beside the first; of a single model, how much it can."""
    if len(found.models) == 1:
        one = found.scores[found.models[0]][GENERAL].value
        return [_said("alone", model=found.models[0], value=round(100 * (one or 0)), rows=found.rows)]
    return [_sentence(found, task, model) for model in found.models[1:]]


def area_name(area: str) -> Speech:
    """What an area is called."""
    if area == GENERAL:
        return _said("area.general")
    lang, _, kind = area.partition(".")
    return lambda spoken: say(spoken, "scores.guard.area.one", language=say(spoken, f"scores.guard.language.{lang}"),
                              kind=say(spoken, f"scores.guard.kind.{kind}"))


def _said(part: str, /, **values: Any) -> Said:
    return Said(f"scores.guard.{part}", values)


def _sentence(found: Guard, task: Summary | None, model: str) -> Said:
    general, gained = _general(found, model), _task(task, found.models[0], model)
    if gained is None:
        return _said("told", model=model, general=general)
    return _said("told_both", model=model, task=gained, general=general)


def _task(task: Summary | None, base: str, model: str) -> Said | None:
    """What was gained on the user's own rows, by the metric that the report tells first."""
    pairs = [pair for pair in task.pairs if (pair["a"], pair["b"]) == (base, model)
             and compare.has_sides(pair["metric"]) and pair["metric"] != guard.RIGHT] if task is not None else []
    if not pairs:
        return None
    pair = next((one for one in pairs if wording.is_told(one)), pairs[0])
    if not wording.is_told(pair):
        return _said("task.same" if wording.is_same(pair) else "task.open")
    metric, way = pair["metric"], "gained" if wording.is_gain(pair) else "lost"
    if wording.is_share(metric):
        return _said(f"task.{way}", points=_points(pair))
    figure = shown({**pair, "difference": abs(pair["difference"])}, compare.scale_of(metric))[0]
    return _said(f"task.{way}_figure", figure=figure, metric=wording.label(metric))


def _general(found: Guard, model: str) -> Said:
    """What was lost beside the task: what is told from chance, else what may be, else nothing."""
    whole = found.of(model)
    if whole is None:
        return _said("nothing")
    down = sorted((pair for area in found.areas if (pair := found.of(model, area)) and pair["difference"] < 0),
                  key=lambda pair: pair["difference"])
    told = [pair for pair in down if _told(pair)] or ([whole] if whole["difference"] < 0 and _told(whole) else [])
    if told:
        return _said("lost", parts=_parts(told))
    if whole["difference"] < 0:
        seen = [pair for pair in down if -pair["difference"] * pair["n"] >= ROWS_OF_NOTE - 1e-9]
        return _said("perhaps", parts=_parts(seen or [whole]))
    values = [_percent(found.scores[one][GENERAL].value) for one in (found.models[0], model)]
    before, after = (f"{value or 0:.0f}" for value in values)
    return _said("gained" if _told(whole) else "kept", before=before, after=after, rows=found.rows)


def _parts(pairs: list[Mapping[str, Any]]) -> Speech:
    def spoken(lang: str) -> str:
        parts = [_said("part", points=_points(pair), area=area_name(pair["area"]))(lang) for pair in pairs[:MOST_PARTS]]
        return say(lang, "scores.guard.between").join(parts)

    return spoken


def _told(pair: Mapping[str, Any]) -> bool:
    return float(pair.get("adjusted", pair["p"])) < statistics.LEVEL


def _points(pair: Mapping[str, Any]) -> int:
    return max(1, round(100 * abs(pair["difference"])))


def _percent(value: float | None) -> float | None:
    return None if value is None else 100 * value
