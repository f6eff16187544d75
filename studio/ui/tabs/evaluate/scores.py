"""Scores as dots with their intervals, model by model, and what their differences are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from studio.records import read_json
from studio.scores import compare, subjects
from studio.scores.leaks import Leaks
from studio.scores.predictions import NAME as PREDICTIONS
from studio.scores.report import About, bench, dots, verdict, wording
from studio.scores.statistics import Interval
from studio.scores.summary import Summary, ranged, shown
from studio.texts import say
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.evaluate.place import Place
from studio.ui.tabs.evaluate.visit import Visit

_IN_SIGHT = 4


def draw(visit: Visit) -> Html:
    """What was found in a sentence, what to keep in mind, every metric, every difference."""
    found = visit.summary
    if found is None:
        return Html("")
    lines = [tag("p", one(visit.lang)) for one in wording.headline(found)]
    notes = [tag("li", one(visit.lang)) for one in wording.notes(found, About(visit.place.run, leaks=_leaks(visit)))]
    return tag(
        "section",
        tag("div", *lines, class_="found") if lines else None,
        tag("ul", *notes, class_="keep-in-mind quiet") if notes else None,
        tag("h3", visit.say("scores.title")),
        _legend(found),
        _metrics(visit, found),
        _pairs(visit, found),
        _subjects(visit, found),
        _guard(visit),
        _judged(visit),
        class_="scores",
        data_key="scores",
    )


def metric_of(visit: Visit) -> str:
    """The metric by which rows are told apart: chosen, else the first in which the models differ."""
    found = visit.summary
    if found is None:
        return ""
    held = str(visit.place.of("rows").get("metric") or "")
    return held if held in found.metrics else wording.bucketed(found) or next(iter(found.metrics), "")


def mark(place: int) -> Html:
    """A model's sign, the same at its score and at its answers."""
    shape = dots.SHAPES[place % dots.SERIES]
    drawn = tag("path", d=shape, class_="mark") if shape else tag("circle", r=5, class_="mark")
    return tag("svg", drawn, class_=f"sign s{place % dots.SERIES}", viewBox="-8 -8 16 16", width=16, height=16,
               aria_hidden="true")


def _legend(found: Summary) -> Html:
    return tag("p", *(tag("span", mark(place), name) for place, name in enumerate(found.models)), class_="who-is-who")


def _metrics(visit: Visit, found: Summary) -> Html:
    """The first metrics in sight, the others one press away; the chosen one is always in sight."""
    now = metric_of(visit)
    first = [one for place, one in enumerate(found.metrics) if place < _IN_SIGHT or one == now]
    rest = [one for one in found.metrics if one not in first]
    more = controls.fold(visit.say("scores.more", count=len(rest)), tag("div", *_blocks(visit, found, rest),
                         class_="metrics"), key="more-metrics") if rest else None
    return join(tag("div", *_blocks(visit, found, first), class_="metrics"), more)


def _blocks(visit: Visit, found: Summary, metrics: Sequence[str]) -> list[Html]:
    """Shares have one axis, so its figures stand only below the last of them in a row."""
    shares = [wording.is_share(metric) for metric in metrics]
    with_figures = [not (here and after) for here, after in zip(shares, [*shares[1:], False])]
    return [_metric(visit, found, metric, figures) for metric, figures in zip(metrics, with_figures)]


def _metric(visit: Visit, found: Summary, metric: str, with_figures: bool) -> Html:
    scores = [found.scores[model][metric] for model in found.models]
    ends = dots.axis(scores, wording.is_share(metric))
    scale, help_text = compare.scale_of(metric), wording.explained(metric)
    remark = visit.say("scores.neither") if not compare.has_sides(metric) else \
        visit.say("scores.lower") if not compare.is_higher(metric) else ""
    missing = max((by.get(metric, 0) for by in found.missing.values()), default=0)
    notes = [remark, visit.say("scores.missing", count=missing) if missing else ""]
    name = controls.button(wording.label(metric)(visit.lang), "metric", to=metric, kind="link", off=False,
                           title=help_text(visit.lang) if help_text else None,
                           current="true" if metric == metric_of(visit) else "")
    lines = []
    for place, (model, one) in enumerate(zip(found.models, scores)):
        value, low, high = shown(one, scale)
        figure = tag("b", wording.unit(metric, value))
        about = tag("span", f" {ranged(low, high)}", class_="quiet") if one.low is not None else None
        lines.append(tag("div", dots.line(one, ends, place), class_=f"plot s{place % dots.SERIES}"))
        lines.append(tag("div", figure, about, class_="figure", title=visit.say(
            "scores.tip", model=model, how=say(visit.lang, f"scores.how.{one.how}"), n=one.n)))
    marks = tag("div", *(tag("span", tick) for tick in dots.ticks(ends, scale)), class_="axis", aria_hidden="true")
    small = [tag("small", one, class_="quiet") for one in notes if one]
    signature = wording.signature(metric)
    head = tag("div", name, tag("code", signature, class_="quiet") if signature else None, *small, class_="metric-name")
    drawn = tag("div", *lines, marks if with_figures else None, class_="dots")
    return tag("div", head, drawn, class_="metric", data_key=f"metric-{metric}")


def _pairs(visit: Visit, found: Summary) -> Html | None:
    """The differences by the chosen metric, the others one press away; that rows are too few stands there in words."""
    pairs = wording.pairs(found)
    if not pairs:
        return None
    mine = [one for one in pairs if one["metric"] == metric_of(visit)]
    rest = [one for one in pairs if one["metric"] != metric_of(visit)]
    more = controls.fold(visit.say("scores.more_pairs"), _pairs_of(visit, found, rest), key="more-pairs") \
        if rest and mine else None
    return tag("div", tag("h3", visit.say("scores.pairs")), _pairs_of(visit, found, mine or rest), more,
               class_="differences", data_key="pairs")


def _pairs_of(visit: Visit, found: Summary, pairs: Sequence[Mapping[str, Any]]) -> Html:
    names = ("metric", "pair", "difference", "p", "verdict")
    heads = [say(visit.lang, f"scores.report.pairs.{name}") for name in names]
    if len(found.models) == 2:
        del heads[1]
    return controls.table(heads, [_pair(visit, found, one) for one in pairs], "pairs-of")


def _pair(visit: Visit, found: Summary, pair: Mapping[str, Any]) -> list[Any]:
    metric = pair["metric"]
    figure, low, high = shown(pair, compare.scale_of(metric))
    sign = "+" if not figure.startswith("\u2212") and pair["difference"] > 0 else ""
    points = wording.points(metric, f"{sign}{figure}")
    told = points(visit.lang) if callable(points) else points
    look = "same" if wording.is_same(pair) else "open"
    if wording.is_told(pair):
        look = "gain" if wording.is_gain(pair) else "loss"
    cells = [wording.label(metric)(visit.lang), f"{pair['a']} → {pair['b']}",
             join(told, tag("span", f" ({ranged(low, high)})", class_="quiet")),
             tag("span", wording.chance(wording.p_of(pair)).removeprefix("=\u00a0"),
                 title=say(visit.lang, f"scores.test.{pair['test']}")),
             tag("span", wording.verdict(pair)(visit.lang), class_=f"verdict {look}")]
    return [cells[0], *cells[2:]] if len(found.models) == 2 else cells


def _subjects(visit: Visit, found: Summary) -> Html | None:
    """An exam by subject: a bar a model, the interval beside it."""
    metric = metric_of(visit)
    by = subjects.by_subject(visit.folder.results / PREDICTIONS, metric)
    if not by:
        return None
    scale = compare.scale_of(metric)
    most = 1.0 if wording.is_share(metric) else max((one.value or 0.0) for part in by.values() for one in part.values())
    blocks = []
    for subject, scores in by.items():
        bars = [_bar(metric, scale, most or 1.0, scores[model], place) for place, model in enumerate(found.models)
                if model in scores]
        blocks.append(tag("div", tag("div", subject.replace("_", " "), class_="subject-name"),
                          tag("div", *bars, class_="bars-of"), class_="subject", data_key=f"subject-{subject}"))
    title = visit.say("scores.subjects", metric=wording.label(metric)(visit.lang))
    return tag("div", tag("h3", title), tag("div", *blocks, class_="subjects", tabindex="0"), data_key="subjects")


def _bar(metric: str, scale: float, most: float, one: Interval, place: int) -> Html:
    value, low, high = shown(one, scale)
    width = 100 * min(1.0, max(0.0, (one.value or 0.0) / most))
    about = tag("span", f" {ranged(low, high)} · n {one.n}", class_="quiet")
    figure = join(tag("b", wording.unit(metric, value)), about)
    return tag("div", tag("div", tag("i", style=f"width:{width:.1f}%"), class_=f"bar-of s{place % dots.SERIES}"),
               tag("span", figure, class_="figure"), class_="bar-line")


def _guard(visit: Visit) -> Html | None:
    """What the forgetting guard found, area by area."""
    found = verdict.view(visit.folder.results, visit.lang)
    if found is None:
        return None
    heads = [visit.say(f"guard.{name}") for name in ("area", "before", "after", "points")]
    lines = [[one.label, _percent(one.before), _percent(one.after), _points(visit, one)] for one in found.lines]
    told = [tag("p", one) for one in found.sentences]
    between = tag("p", f"{found.models[0]} → {found.models[-1]}", class_="quiet") if len(found.models) > 2 else None
    return tag("div", tag("h3", visit.say("guard.title")), tag("div", *told, class_="found"), between,
               controls.table(heads, lines, "guard-of"), class_="differences", data_key="guard")


def _judged(visit: Visit) -> Html | None:
    """What a judge said, and how far it can be trusted."""
    told = [tag("p", one(visit.lang)) for one in bench.told(visit.folder.results)]
    if not told:
        return None
    return tag("div", tag("h3", visit.say("judge.title")), tag("div", *told, class_="found"), class_="differences",
               data_key="judge")


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0f} %"


def _points(visit: Visit, one: verdict.Line) -> Html:
    """Points more or less; what chance can do as well is said to be so."""
    if one.points is None:
        return tag("span", "–", class_="quiet")
    figure = f"{one.points:+.0f}".replace("-", "\u2212")
    if not one.is_told:
        return tag("span", figure, title=visit.say("guard.chance"), class_="quiet")
    return tag("span", figure, class_="verdict gain" if one.points > 0 else "verdict loss")


def _leaks(visit: Visit) -> Leaks | None:
    """What is known of rows that stand in the training set."""
    found = read_json(visit.folder.results / "leaks.json")
    try:
        return Leaks(tuple(found["exact"]), tuple(found["near"]), int(found["rows"])) if found else None
    except (KeyError, TypeError, ValueError):
        return None


# ---- presses

def metric(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Tell rows apart by another metric."""
    return visit.place.keep("rows", metric=str(said.get("to") or said.get("value", "")), page=0)


ACTIONS = {"metric": metric}
