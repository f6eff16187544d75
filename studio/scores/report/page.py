"""report.html: one file without script and without a call to anywhere, in both languages, light and dark."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from studio.args import document
from studio.scores import compare, subjects, words
from studio.scores.browse import Predictions, Shown
from studio.scores.predictions import LENGTH, Prediction
from studio.scores.report import dots, general, prose, samples, wording
from studio.scores.report.about import About
from studio.scores.report.wording import Speech, said
from studio.scores.summary import Summary, shown
from studio.texts import LANGUAGES, say
from studio.texts.markup import Html, join, tag

STYLE = (Path(__file__).parent / "report.css").read_text(encoding="utf-8")
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
HTML_LANGUAGES = {"en": "en", "zh": "zh-Hans"}
NAMES = {"en": "EN", "zh": "中文"}
MOST_SHOWN = 1_200  # characters of a text


def html(summary: Summary, predictions: Predictions, about: About, lang: str = "en") -> str:
    """The whole report; `lang` is the language it opens in."""
    switches = [tag("input", type="radio", name="lang", id=f"to-{one}", class_="to", checked=one == lang,
                    aria_label=NAMES[one]).removesuffix("</input>") for one in LANGUAGES]
    page = tag("div", _header(summary, about), _scores(summary), _subjects(summary, predictions), _pairs(summary),
               _general(about), _buckets(summary), _notes(summary, about), _samples(summary, predictions),
               _settings(about), _again(about),
               tag("footer", tag("p", both(said("made_by")), class_="quiet")), class_="page")
    head = tag("head", Html('<meta charset="utf-8">'),
               Html(f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'),
               Html('<meta name="viewport" content="width=device-width, initial-scale=1">'),
               tag("title", f"{about.title} · {say(lang, 'scores.report.kind')}"), tag("style", Html(STYLE)))
    body = tag("body", *map(Html, switches), page)
    return f"<!doctype html>\n{tag('html', head, body, lang=HTML_LANGUAGES[lang])}\n"


def both(speech: Speech) -> Html:
    """A sentence in every language, of which the chosen one is seen."""
    return join(*(tag("span", speech(lang), class_=lang, lang=HTML_LANGUAGES[lang]) for lang in LANGUAGES))


def _header(summary: Summary, about: About) -> Html:
    labels = (tag("label", NAMES[lang], for_=f"to-{lang}") for lang in LANGUAGES)
    made = tag("p", both(said("made", rows=f"{summary.rows:,}".replace(",", "\u202f"), made=about.day)), class_="quiet")
    title = tag("div", tag("p", both(said("kind")), class_="quiet"), tag("h1", about.title), made)
    found = [tag("p", both(one)) for one in general.sentences(summary, about.guard, about.judged)]
    return join(tag("header", title, tag("div", *labels, class_="langs")),
                tag("div", *found, class_="headline") if found else None)


# Scores and differences.


def _scores(summary: Summary) -> Html:
    blocks = [_metric(summary, metric) for metric in summary.metrics]
    return _card("scores", tag("p", both(said("scores.explained")), class_="quiet"), *blocks)


def _metric(summary: Summary, metric: str) -> Html:
    scores = [summary.scores[model][metric] for model in summary.models]
    scale, ends = compare.scale_of(metric), dots.axis(scores, wording.is_share(metric))
    if all(one.value is None for one in scores):
        return tag("div", _metric_head(summary, metric), class_="metric")
    rows: list[Html] = []
    for place, (model, one) in enumerate(zip(summary.models, scores)):
        value, low, high = shown(one, scale)
        figure = [tag("b", wording.unit(metric, value))]
        if one.low is not None:
            figure += [tag("span", f" {low} – {high}", class_="quiet"),
                       tag("span", " · ", both(lambda lang, how=one.how: say(lang, f"scores.how.{how}")),  # type: ignore[misc]
                           f" · n = {one.n}", class_="quiet")]
        series = f"s{place % dots.SERIES}"
        rows += [tag("div", model, class_="name"),
                 tag("div", dots.line(one, ends, place), class_=f"plot {series}"),
                 tag("div", *figure, class_="figure")]
    marks = tag("div", *(tag("span", tick) for tick in dots.ticks(ends, scale)), class_="axis", aria_hidden="true")
    return tag("div", _metric_head(summary, metric), tag("div", *rows, marks, class_="dots"), class_="metric")


def _metric_head(summary: Summary, metric: str) -> Html:
    remarks: list[Speech] = []
    if not compare.has_sides(metric):
        remarks.append(said("scores.neither"))
    elif not compare.is_higher(metric):
        remarks.append(said("scores.lower"))
    missing = max((by.get(metric, 0) for by in summary.missing.values()), default=0)
    if missing:
        remarks.append(said("scores.missing", count=missing))
    help_text, signature = wording.explained(metric), wording.signature(metric)
    return join(tag("div", tag("h3", both(wording.label(metric))),
                    tag("code", signature, class_="quiet") if signature else None,
                    *(tag("span", both(one), class_="quiet") for one in remarks), class_="metric-head"),
                tag("p", both(help_text), class_="quiet") if help_text else None)


def _subjects(summary: Summary, predictions: Predictions) -> Html | None:
    """An exam by subject, by its first metric; None for rows that name no subject."""
    metric = next((one for one in summary.metrics if wording.is_share(one)), "")
    by = subjects.by_subject(predictions.path, metric) if metric else {}
    if not by:
        return None
    rows: list[Html] = []
    for subject, scores in by.items():
        for place, model in enumerate(one for one in summary.models if one in scores):
            value, low, high = shown(scores[model], compare.scale_of(metric))
            name = tag("div", tag("b", subject.replace("_", " "))) if place == 0 else None
            rows += [tag("div", name, tag("span", model, class_="quiet"), class_="name"),
                     tag("div", dots.line(scores[model], (0.0, 1.0), place), class_=f"plot s{place % dots.SERIES}"),
                     tag("div", tag("b", wording.unit(metric, value)), tag("span", f" {low} – {high}", class_="quiet"),
                         tag("span", f" · n = {scores[model].n}", class_="quiet"), class_="figure")]
    explained = tag("p", both(wording.label(metric)), " · ", both(said("subjects.explained")), class_="quiet")
    return _card("subjects", explained, tag("div", *rows, class_="dots"))


def _pairs(summary: Summary) -> Html | None:
    if not summary.pairs:
        return None
    heads = [both(said(f"pairs.{name}")) for name in ("metric", "pair", "difference", "p", "test", "verdict")]
    several = any(pair.get("adjusted", pair["p"]) != pair["p"] for pair in summary.pairs)
    return _card("pairs", tag("p", both(said("pairs.explained")), class_="quiet"),
                 tag("p", both(said("pairs.several")), class_="quiet") if several else None,
                 _table(heads, map(_pair, wording.pairs(summary))), look="pairs")


def _pair(pair: Mapping[str, Any]) -> Html:
    metric = pair["metric"]
    figure, low, high = shown(pair, compare.scale_of(metric))
    sign = "+" if not figure.startswith("\u2212") and pair["difference"] > 0 else ""
    points = wording.points(metric, f"{sign}{figure}")
    look = "" if wording.is_same(pair) else "open"
    if wording.is_told(pair):
        look = "told" if wording.is_gain(pair) else "told down"
    return tag("tr", tag("td", both(wording.label(metric))), tag("td", f"{pair['a']} → {pair['b']}"),
               tag("td", both(points) if callable(points) else points,
                   tag("span", f" ({low} – {high})", class_="quiet"), class_="n"),
               tag("td", wording.chance(wording.p_of(pair)).removeprefix("=\u00a0"), class_="n"),
               tag("td", both(lambda lang: say(lang, f"scores.test.{pair['test']}"))),
               tag("td", both(wording.verdict(pair)), class_=look))


def _general(about: About) -> Html | None:
    """The forgetting guard, area by area."""
    if about.guard is None:
        return None
    rows = (tag("tr", *(tag("td", both(cell), class_="n" if place > 1 else "") for place, cell in enumerate(cells)))
            for cells in general.rows(about.guard))
    return _card("guard", tag("p", both(said("guard.explained")), class_="quiet"),
                 _table(map(both, general.heads()), rows))


# Rows.


def _buckets(summary: Summary) -> Html | None:
    metric = wording.bucketed(summary)
    if not metric:
        return None
    blocks = []
    for part in summary.buckets[metric]:
        total = max(1, sum(part[bucket] for bucket in compare.BUCKETS))
        strip = [tag("i", class_=bucket, style=f"flex:{part[bucket] / total:.4f}") for bucket in compare.BUCKETS
                 if part[bucket]]
        counts = [tag("span", tag("b", part[bucket]), both(_bucket(bucket)), class_=f"count {bucket}")
                  for bucket in compare.BUCKETS]
        name = tag("p", both(said("buckets.from_to", a=part["a"], b=part["b"])))
        blocks.append(tag("div", name, tag("div", *strip, class_="strip", aria_hidden="true"),
                          tag("div", *counts, class_="counts")))
    threshold = summary.buckets[metric][-1]["threshold"] * compare.scale_of(metric)
    way = "buckets.explained" if compare.is_higher(metric) else "buckets.explained_down"
    rule = said(way, metric=wording.label(metric), threshold=wording.unit(metric, f"{threshold:g}"))
    return _card("buckets", tag("p", both(rule), class_="quiet"), *blocks)


def _bucket(bucket: str) -> Speech:
    return lambda lang: say(lang, f"scores.bucket.{bucket}")


def _samples(summary: Summary, predictions: Predictions) -> Html:
    blocks = []
    for place, part in enumerate(samples.drawn(summary, predictions)):
        drawn = tag("span", both(said("samples.drawn", shown=len(part.rows), count=part.count)), class_="quiet")
        name = both(_bucket(part.bucket)) if part.bucket else both(said("samples.title"))
        rows = [_sample(one, summary) for one in part.rows] or [tag("p", both(said("samples.nothing")))]
        blocks.append(tag("details", tag("summary", name, drawn), *rows, open=place < 2, id=part.bucket or None))
    base, *others = summary.models or ("",)
    between = tag("p", both(said("buckets.from_to", a=base, b=others[-1])), class_="quiet") if len(others) > 1 else None
    return _card("samples", between, *blocks)


def _sample(row: Shown, summary: Summary) -> Html:
    given = [one for one in row.answers.values() if one is not None]
    asked = given[0] if given else None
    place = f" · {asked.place[0]}:{asked.place[1]}" if asked and asked.place else ""
    head = tag("div", both(said("samples.row", row=row.row)), place, class_="quiet")
    parts = [_said(both(said("samples.question")), asked.question if asked else ""),
             _said(both(said("samples.reference")), asked.reference if asked else "")]
    answers = [_answer(model, row.answers.get(model)) for model in summary.models]
    return tag("div", head, tag("div", *parts, class_="columns"), tag("div", *answers, class_="columns"),
               _change(row, summary), class_="sample")


def _said(label: Html, text: str, *more: Html) -> Html:
    if len(text) > MOST_SHOWN:
        cut = tag("p", both(said("samples.cut", shown=MOST_SHOWN, length=len(text))), class_="quiet")
        inside = join(prose.render(text[:MOST_SHOWN]), cut)
    else:
        inside = prose.render(text) or tag("p", both(said("samples.empty")), class_="quiet")
    return tag("div", tag("div", label, *more, class_="label"), tag("div", inside, class_="words"), class_="said")


def _answer(model: str, one: Prediction | None) -> Html:
    name = tag("b", model)
    if one is None:
        return tag("div", tag("div", name, class_="label"), tag("p", both(said("samples.unanswered")), class_="quiet"),
                   class_="said")
    more = [tag("span", both(said("samples.ended")), class_="tag")] if one.finish == LENGTH else []
    return _said(name, one.answer, *more)


def _change(row: Shown, summary: Summary) -> Html | None:
    """The first model's answer turned into the last one's, word by word."""
    one, other = (row.answers.get(model) for model in (summary.models[0], summary.models[-1]))
    if one is None or other is None or one.model == other.model or not one.answer or not other.answer:
        return None
    parts = words.difference(one.answer[:MOST_SHOWN], other.answer[:MOST_SHOWN])
    if not any(kind == words.SAME for kind, _ in parts) or all(kind == words.SAME for kind, _ in parts):
        return None
    marks = {words.GONE: "del", words.NEW: "ins"}
    inside = [tag(marks[kind], text) if kind in marks else text for kind, text in parts]
    return tag("div", tag("div", tag("span", both(said("samples.changed")), class_="label quiet")), *inside,
               class_="change")


# What it was made with.


def _notes(summary: Summary, about: About) -> Html | None:
    found = [tag("li", both(one)) for one in wording.notes(summary, about)]
    return _card("notes", tag("ul", *found), look="notes") if found else None


def _settings(about: About) -> Html | None:
    if not about.settings:
        return None
    rows = (tag("tr", tag("td", name), tag("td", _plain(value))) for name, value in about.settings.items()
            if value not in (None, "", [], {}))
    heads = [both(said(f"settings.{name}")) for name in ("name", "value")]
    return _card("settings", _table(heads, rows), look="settings")


def _again(about: About) -> Html | None:
    if not about.commands and not about.versions:
        return None
    prints = "\n".join(f"{name}  {value}" for name, value in about.fingerprints.items())
    recipe = document.dumps(dict(about.settings)) if about.settings else ""
    return _card("again", tag("p", both(said("again.explained"))),
                 tag("pre", "\n".join(about.commands)) if about.commands else None,
                 tag("details", tag("summary", "YAML"), tag("pre", recipe)) if recipe else None,
                 tag("details", tag("summary", both(said("again.versions"))),
                     tag("pre", "\n".join(f"{name} {value}" for name, value in about.versions.items())))
                 if about.versions else None,
                 tag("details", tag("summary", both(said("again.fingerprints"))), tag("pre", prints))
                 if prints else None)


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _card(name: str, *inside: Any, look: str = "") -> Html:
    return tag("section", tag("h2", both(said(f"{name}.title"))), *inside, class_=f"card {look}".strip())


def _table(heads: Iterable[Html], rows: Iterable[Html]) -> Html:
    inside = tag("table", tag("thead", tag("tr", *(tag("th", head) for head in heads))), tag("tbody", *rows))
    return tag("div", inside, class_="scroll", tabindex=0)
