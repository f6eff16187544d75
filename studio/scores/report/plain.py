"""report.md and scores.csv: the same figures for an editor, a review, a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from typing import Any

from studio.scores import compare
from studio.scores.browse import Predictions, Shown
from studio.scores.report import general, samples, wording
from studio.scores.report.about import About
from studio.scores.report.wording import said
from studio.scores.summary import Summary, ranged, shown
from studio.texts import say
from studio.texts.markdown import code, fenced, inline
from studio.texts.markdown import table as table_of

MOST_SHOWN = 600
_COLUMNS = ("model", "metric", "value", "low", "high", "n", "missing", "how", "signature")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def markdown(summary: Summary, predictions: Predictions, about: About, lang: str) -> str:
    """The report in Markdown, in one language; what models said stands in fences and is not read as Markdown."""
    return "\n".join(_lines(summary, predictions, about, lang)) + "\n"


def table(summary: Summary) -> str:
    """Every score, full precision, a line each, with a byte-order mark for spreadsheets; no cell is a formula."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for model in summary.models:
        for metric in summary.metrics:
            one = summary.scores[model][metric]
            missing = summary.missing.get(model, {}).get(metric, 0)
            writer.writerow([_safe(model), _safe(metric), *(_number(part) for part in (one.value, one.low, one.high)),
                             one.n, missing, one.how, _safe(wording.signature(metric))])
    return f"\ufeff{out.getvalue()}"


def _lines(summary: Summary, predictions: Predictions, about: About, lang: str) -> Iterator[str]:
    yield f"# {inline(about.title)}"
    yield ""
    yield said("made", rows=summary.rows, made=about.day)(lang)
    for one in general.sentences(summary, about.guard, about.judged):
        yield f"\n**{inline(one(lang))}**"
    yield from _section("scores", lang)
    yield from _rows([said(f"scores.{name}")(lang) for name in ("model", "score", "interval", "rows", "how")],
                     _scores(summary, lang))
    if summary.pairs:
        yield from _section("pairs", lang)
        yield from _rows([said(f"pairs.{name}")(lang) for name in ("metric", "pair", "difference", "p", "verdict")],
                         _pairs(summary, lang))
    if about.guard is not None:
        yield from _section("guard", lang)
        yield from _rows([one(lang) for one in general.heads()],
                         ([cell(lang) for cell in cells] for cells in general.rows(about.guard)))
    notes = [inline(one(lang)) for one in wording.notes(summary, about)]
    if notes:
        yield from _section("notes", lang)
        yield from (f"- {one}" for one in notes)
    yield from _buckets(summary, predictions, lang)
    if about.settings:
        yield from _section("settings", lang)
        yield from (f"- `{name}`: {code(value)}" for name, value in about.settings.items()
                    if value not in (None, "", [], {}))
    if about.commands:
        yield from _section("again", lang)
        yield from fenced("\n".join(about.commands))


def _scores(summary: Summary, lang: str) -> Iterator[Sequence[str]]:
    for metric in summary.metrics:
        for model in summary.models:
            one = summary.scores[model][metric]
            value, low, high = shown(one, compare.scale_of(metric))
            yield (f"{model} · {wording.label(metric)(lang)}", wording.unit(metric, value), ranged(low, high),
                   str(one.n), say(lang, f"scores.how.{one.how}"))


def _pairs(summary: Summary, lang: str) -> Iterator[Sequence[str]]:
    for pair in wording.pairs(summary):
        figure, low, high = shown(pair, compare.scale_of(pair["metric"]))
        points: Any = wording.points(pair["metric"], figure)
        yield (wording.label(pair["metric"])(lang), f"{pair['a']} → {pair['b']}",
               f"{points(lang) if callable(points) else points} ({ranged(low, high)})",
               wording.chance(wording.p_of(pair)).removeprefix("=\u00a0"), wording.verdict(pair)(lang))


def _buckets(summary: Summary, predictions: Predictions, lang: str) -> Iterator[str]:
    for part in samples.drawn(summary, predictions):
        name = say(lang, f"scores.bucket.{part.bucket}") if part.bucket else said("samples.title")(lang)
        yield f"\n## {name} ({part.count})"
        for row in part.rows:
            yield from _sample(row, lang)


def _sample(row: Shown, lang: str) -> Iterator[str]:
    given = [one for one in row.answers.values() if one is not None]
    yield f"\n### {said('samples.row', row=row.row)(lang)}"
    for name, text in (("question", given[0].question), ("reference", given[0].reference)) if given else ():
        yield f"\n{said(f'samples.{name}')(lang)}\n"
        yield from fenced(text, most=MOST_SHOWN)
    for one in given:
        yield f"\n{inline(one.model)}\n"
        yield from fenced(one.answer, most=MOST_SHOWN)


def _section(name: str, lang: str) -> Iterator[str]:
    yield f"\n## {said(f'{name}.title')(lang)}\n"


def _rows(heads: Sequence[str], rows: Iterator[Sequence[str]]) -> Iterator[str]:
    return table_of(heads, ([inline(cell) for cell in row] for row in rows))


def _number(value: float | None) -> str:
    return "" if value is None else repr(float(value))


def _safe(text: str) -> str:
    """A cell that a spreadsheet does not take for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text
