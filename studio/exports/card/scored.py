"""Scores and forgetting in a model card: what evaluations of these very weights found."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from studio.exports.card import page
from studio.exports.card.evidence import Evaluation
from studio.exports.card.facts import Facts
from studio.scores import compare
from studio.scores.guard import GENERAL, Guard
from studio.scores.report import verdict, wording
from studio.scores.summary import Summary, ranged, shown
from studio.texts import listed
from studio.texts.markdown import code, inline, table


def section(facts: Facts, lang: str) -> Iterator[str]:
    """Every evaluation's scores with their intervals, beside those of the base where it was asked too."""
    yield from page.section("scores", lang)
    found = [one for one in facts.evaluations if one.summary is not None]
    if not found:
        yield page.said(lang, "scores.none" if facts.learning is not None else "scores.none_plain")
        return
    yield page.said(lang, "scores.explained")
    for one in found:
        yield from _evaluation(one, lang)


def _evaluation(one: Evaluation, lang: str) -> Iterator[str]:
    assert one.summary is not None
    asked = listed(lang, [code(name) for name in one.asked]) if one.asked else page.said(lang, "scores.held_out")
    yield from ("", page.said(lang, "scores.asked", asked=asked, rows=page.count(one.summary.rows), day=one.day), "")
    heads = ["metric", *(("base", "own", "difference", "verdict") if one.base else ("own",))]
    yield from table([page.said(lang, f"scores.{name}") for name in heads],
                     (_row(one, one.summary, metric, lang) for metric in _metrics(one, one.summary)))
    notes = []
    if one.leaked:
        notes.append(page.said(lang, "scores.leaked", count=one.leaked))
    if one.summary.rows < wording.FEW_ROWS:
        notes.append(page.said(lang, "scores.few", rows=one.summary.rows))
    if notes:
        yield from ("", page.paragraph(lang, *notes))


def _metrics(one: Evaluation, found: Summary) -> list[str]:
    """The metrics that there are scores of."""
    models = [name for name in (one.base, one.own) if name]
    return [name for name in found.metrics if all(name in found.scores.get(model, {}) for model in models)]


def _row(one: Evaluation, found: Summary, metric: str, lang: str) -> Sequence[str]:
    cells = [inline(wording.label(metric)(lang))]
    cells += [_score(found, model, metric) for model in ((one.base, one.own) if one.base else (one.own,))]
    if not one.base:
        return cells
    pair = next((pair for pair in found.pairs
                 if (pair["a"], pair["b"], pair["metric"]) == (one.base, one.own, metric)), None)
    if pair is None:
        return [*cells, "–", "–"]
    figure, low, high = shown(pair, compare.scale_of(metric))
    points: Any = wording.points(metric, figure)
    return [*cells, inline(f"{points(lang) if callable(points) else points} ({ranged(low, high)})"),
            wording.verdict(pair)(lang)]


def _score(found: Summary, model: str, metric: str) -> str:
    one = found.scores[model][metric]
    value, low, high = shown(one, compare.scale_of(metric))
    figure = wording.unit(metric, value)
    return inline(f"{figure} ({ranged(low, high)})" if one.low is not None else figure)


def forgotten(facts: Facts, lang: str) -> Iterator[str]:
    """What the tuning cost elsewhere, as the forgetting guard found it; that it was not asked, otherwise."""
    if facts.learning is None:
        return
    yield from page.section("forgotten", lang)
    if facts.guard is None:
        yield page.said(lang, "forgotten.none")
        return
    evaluation, found = facts.guard
    yield page.said(lang, "forgotten.explained", rows=found.rows, day=evaluation.day)
    if found.models[0] != evaluation.own:
        told = verdict.sentences(found, None)
        yield from (inline(one(lang)) for one, model in zip(told, found.models[1:]) if model == evaluation.own)
    yield ""
    models = [name for name in (found.models[0], evaluation.own) if name in found.models]
    models = list(dict.fromkeys(models))
    heads = ["area", *(("before", "after") if len(models) == 2 else ("after",))]
    yield from table([page.said(lang, f"forgotten.{name}") for name in heads],
                     ([inline(verdict.area_name(area)(lang)), *(_share(found, model, area) for model in models)]
                      for area in (GENERAL, *found.areas)))


def _share(found: Guard, model: str, area: str) -> str:
    value, low, high = shown(found.scores[model][area], 100)
    return inline(f"{value} % ({ranged(low, high)})")
