"""The list of runs and the pages of one run, as HTML."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from studio.args import document
from studio.args.fields import Argument
from studio.errors import StudioError
from studio.exports.shelf import Exported
from studio.runs import checkpoints
from studio.runs.files import RunFolder
from studio.runs.summary import RunSummary
from studio.specs import works
from studio.specs.frozen import HEADER
from studio.texts import has, listed, say
from studio.texts.errors import of_error
from studio.ui import amounts, run_exports, status
from studio.ui.markup import Html, join, tag

_MOST_ROWS = 300
# What the way to the tab of a kind of work promises.
_OPENS = {works.EVALUATE: "page.runs.scores_open", works.EXPORT: "page.runs.export_open"}
_MOST_FILES = 400
COLUMNS = {
    "name": lambda line: line.name.lower(),
    "state": lambda line: line.state.value,
    "model": lambda line: line.model.lower(),
    "method": lambda line: (line.stage, line.finetuning_type),
    "data": lambda line: line.dataset,
    "loss": lambda line: _low(line.train_loss),
    "best": lambda line: _low(line.best_eval_loss),
    "created": lambda line: line.created,
    "time": lambda line: line.seconds,
}


def table(lines: Sequence[RunSummary], query: str, sort: str, opened: str, lang: str) -> Html:
    """The rows that match the query, in the wanted order; or what will stand here."""
    if not lines:
        return tag("p", say(lang, "page.runs.empty"), class_="quiet empty")
    found = [line for line in lines if _matches(line, query, lang)]
    if not found:
        return tag("p", say(lang, "page.runs.no_match", query=query), class_="quiet empty")
    column = sort.lstrip("-")
    found.sort(key=COLUMNS[column], reverse=sort.startswith("-"))
    head = tag("tr", *(_head(name, sort, lang) for name in COLUMNS))
    rows = [_row(line, line.name == opened, lang) for line in found[:_MOST_ROWS]]
    more = (
        tag("p", say(lang, "page.runs.more", count=len(found) - _MOST_ROWS), class_="quiet")
        if len(found) > _MOST_ROWS
        else None
    )
    return join(tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll", tabindex="-1"), more)


def _head(name: str, sort: str, lang: str) -> Html:
    order = "descending" if sort == f"-{name}" else "ascending" if sort == name else "none"
    return tag(
        "th",
        tag("button", say(lang, f"page.runs.{name}"), type="button", data_sort=name),
        scope="col",
        aria_sort=order,
        class_=f"c-{name}",
    )


def _row(line: RunSummary, is_open: bool, lang: str) -> Html:
    trouble = tag("small", _trouble(line, lang), class_="problem") if line.trouble else None
    progress = f" {amounts.share(line.step, line.total_steps)}" if line.state.is_live and line.total_steps else ""
    cells = {
        "name": join(tag("a", line.name, href=f"?tab=runs&run={line.name}", data_run=line.name), trouble),
        "state": join(status.dot(line.state, lang), progress),
        "model": line.model.rstrip("/").split("/")[-1] or "–",
        "method": method(line.stage, line.finetuning_type, lang),
        "data": listed(lang, list(line.dataset)) or "–",
        "loss": amounts.loss(line.train_loss),
        "best": amounts.loss(line.best_eval_loss),
        "created": amounts.moment(line.created),
        "time": amounts.duration(line.seconds),
    }
    drawn = [
        tag("td", cell, class_=f"c-{name}", data_label=say(lang, f"page.runs.{name}")) for name, cell in cells.items()
    ]
    return tag(
        "tr", *drawn, class_="open" if is_open else None, data_run=line.name, aria_selected="true" if is_open else None
    )


def method(stage: str, tuner: str, lang: str) -> str:
    """`Supervised fine-tuning · LoRA`."""
    names = [_said(lang, f"choices.stage.{stage}", stage), _said(lang, f"choices.finetuning_type.{tuner}", tuner)]
    return " · ".join(name for name in names if name) or "–"


def _trouble(line: RunSummary, lang: str) -> str:
    return _said(lang, f"runs.trouble.{line.trouble}", say(lang, "page.runs.trouble", code=line.trouble))


def _matches(line: RunSummary, query: str, lang: str) -> bool:
    """Every word of the query occurs in the row, as written or as shown."""
    text = " ".join(
        [
            line.name,
            line.state.value,
            say(lang, f"page.state.{line.state.value}"),
            line.model,
            line.stage,
            line.finetuning_type,
            method(line.stage, line.finetuning_type, lang),
            *line.dataset,
        ]
    ).lower()
    return all(word in text for word in query.lower().split())


def summary(line: RunSummary | None, glimpse: Any, folder: RunFolder, lang: str,
            exports: Sequence[Exported] = ()) -> Html:
    """What the run is and how it stands; what was exported of it."""
    if line is None:
        return tag("p", say(lang, "page.runs.gone"), class_="quiet")
    if not works.learns(line):
        return _other(line, glimpse, folder, lang)
    best = amounts.loss(glimpse.best_eval_loss)
    if glimpse.best_step is not None:
        best = say(lang, "page.runs.best_at", loss=best, step=f"{glimpse.best_step:,}")
    facts = {
        "model": line.model or "–",
        "method": method(line.stage, line.finetuning_type, lang),
        "data": listed(lang, list(line.dataset)) or "–",
        "created": amounts.moment(line.created),
        "time": amounts.duration(glimpse.elapsed_seconds),
        "tokens": amounts.count(glimpse.tokens) if glimpse.tokens else "–",
        "loss": amounts.loss(line.train_loss),
        "best": best,
        "folder": tag("code", folder.path),
        "exports": run_exports.of_training(exports, lang),
    }
    return _facts(line, {name: one for name, one in facts.items() if one is not None}, lang)


def _facts(line: RunSummary, facts: Mapping[str, Any], lang: str) -> Html:
    trouble = tag("p", _trouble(line, lang), class_="problem") if line.trouble else None
    rows = [join(tag("dt", say(lang, f"page.runs.{name}")), tag("dd", value)) for name, value in facts.items()]
    return join(trouble, tag("dl", *rows, class_="facts"))


def _other(line: RunSummary, glimpse: Any, folder: RunFolder, lang: str) -> Html:
    """What a run that does not learn is, what it found, and the way to where that can be read."""
    facts = {
        "model": listed(lang, _asked(folder)) or line.model or "–",
        "method": method(line.stage, line.finetuning_type, lang),
        "data": listed(lang, list(line.dataset)),
        "created": amounts.moment(line.created),
        "time": amounts.duration(glimpse.elapsed_seconds),
        "folder": tag("code", folder.path),
    }
    return join(_facts(line, {name: one for name, one in facts.items() if one}, lang), found(glimpse, lang))


def _asked(folder: RunFolder) -> list[str]:
    """Whom an evaluation asks; nobody in other runs."""
    try:
        return [str(name) for name in document.read(folder.spec).get("eval_models") or ()]
    except StudioError:
        return []


def found(glimpse: Any, lang: str) -> Html:
    """What a run that does not learn has found so far, every score with its interval, and the ways to the rest."""
    from studio.scores import summary as scores
    from studio.scores.report import wording

    summed = scores.load(glimpse.results) if glimpse.results is not None else None
    told = [tag("p", one(lang)) for one in wording.headline(summed)] if summed is not None else []
    table = _scores(summed, lang) if summed is not None and summed.metrics else None
    verdict = run_exports.of_export(RunFolder(glimpse.results.parent), lang) if glimpse.results is not None else None
    return tag("div", *told, verdict, table, _ways(glimpse, lang), class_="found-of")


def _ways(glimpse: Any, lang: str) -> Html:
    """To the tab of this kind of work, and to its report."""
    from studio.scores.report import HTML

    verb = works.verb(glimpse.stage)
    ways = []
    if has(lang, f"page.tabs.{verb}"):
        address = f"?{urlencode({'tab': verb, 'run': glimpse.name})}"
        words = say(lang, _OPENS.get(verb, f"page.tabs.{verb}"))
        ways.append(tag("a", words, class_="press link", href=address, data_go=True))
    if glimpse.results is not None and (glimpse.results / HTML).is_file():
        ways.append(tag("a", say(lang, "page.evaluate.report.open"), class_="press strong", target="_blank",
                        rel="noopener", href=f"./studio/evaluation/{quote(glimpse.name)}/{HTML}"))
    return tag("p", *ways, class_="ways-of")


def _scores(summed: Any, lang: str) -> Html:
    """Model by model, every score with its interval."""
    from studio.scores import compare
    from studio.scores.report import wording
    from studio.scores.summary import ranged, shown

    names = ("metric", "model", "score", "interval", "rows")
    head = tag("tr", *(tag("th", say(lang, f"cli.scores.{name}"), scope="col") for name in names))
    rows = []
    for metric in summed.metrics:
        for place, model in enumerate(summed.models):
            one = summed.scores[model][metric]
            value, low, high = shown(one, compare.scale_of(metric))
            first = tag("th", wording.label(metric)(lang), scope="rowgroup", rowspan=len(summed.models))
            cells = (model, wording.unit(metric, value), ranged(low, high), f"{one.n:,}")
            rows.append(tag("tr", first if place == 0 else None, *(tag("td", cell) for cell in cells)))
    table = tag("table", tag("thead", head), tag("tbody", *rows))
    return tag("div", table, class_="scroll scores-of", tabindex="0")


def settings(folder: RunFolder, lang: str) -> Html:
    """The frozen arguments of the run, those that are not the default first."""
    try:
        frozen = document.read(folder.spec)
    except StudioError as error:
        return tag("p", of_error(lang, error), class_="problem")
    held = [(name, value) for name, value in frozen.items() if name not in HEADER]
    known = works.declared(str(frozen.get("stage", "")))
    held.sort(key=lambda pair: pair[0] in known and pair[1] == known[pair[0]].default)
    rows = [_setting(name, value, lang, known) for name, value in held]
    made = [
        tag("tr", tag("th", name, scope="row"), tag("td", tag("code", document.line(frozen[name]))), class_="header")
        for name in HEADER
        if frozen.get(name)
    ]
    return tag("div", tag("table", tag("tbody", *rows, *made)), class_="scroll settings")


def _setting(name: str, value: Any, lang: str, known: Mapping[str, Argument]) -> Html:
    changed = name not in known or value != known[name].default
    mark = tag("span", say(lang, "page.runs.changed"), class_="chip") if changed else None
    return tag(
        "tr",
        tag("th", _said(lang, f"arguments.{name}.label", name), tag("code", name), mark, scope="row"),
        tag("td", tag("code", document.line(value))),
        class_="changed" if changed else None,
    )


def checkpoint_list(folder: RunFolder, lang: str) -> Html:
    """Every complete checkpoint with its losses, size and place."""
    found = checkpoints.checkpoints(folder)
    if not found:
        return tag("p", say(lang, "page.runs.no_checkpoint"), class_="quiet")
    head = tag(
        "tr",
        *(
            tag("th", say(lang, f"page.runs.{name}"), scope="col")
            for name in ("step", "loss", "best", "size", "folder")
        ),
        tag("th", say(lang, "page.tabs.chat"), scope="col"),
    )
    rows = [
        tag(
            "tr",
            tag("td", f"{one.step:,} ", _chips(one, lang)),
            tag("td", amounts.loss(one.loss)),
            tag("td", amounts.loss(one.eval_loss)),
            tag("td", amounts.size(one.bytes)),
            tag("td", tag("code", one.path)),
            tag("td", _talk(folder, one, lang)),
        )
        for one in reversed(found)
    ]
    return tag("div", tag("table", tag("thead", head), tag("tbody", *rows)), class_="scroll")


def _talk(folder: RunFolder, one: checkpoints.Checkpoint, lang: str) -> Html:
    """The way to a conversation with a checkpoint beside its base."""
    href = f"?{urlencode({'tab': 'chat', 'run': f'{folder.name}/{one.path.name}'})}"
    return tag("a", say(lang, "page.runs.chat"), href=href, data_go=True)


def _chips(one: checkpoints.Checkpoint, lang: str) -> Html:
    chips = [name for name, holds in (("is_best", one.best), ("is_last", one.last)) if holds]
    return join(*(tag("span", say(lang, f"page.runs.{name}"), class_="chip") for name in chips))


def files(folder: RunFolder, lang: str) -> Html:
    """Every file of the run with its size."""
    found = sorted(_sizes(folder))[:_MOST_FILES]
    rows = [tag("tr", tag("td", tag("code", name)), tag("td", amounts.size(size))) for name, size in found]
    where = tag("p", say(lang, "page.runs.folder"), " ", tag("code", folder.path), class_="quiet")
    return join(where, tag("div", tag("table", tag("tbody", *rows)), class_="scroll"))


def _sizes(folder: RunFolder) -> list[tuple[str, int]]:
    """(name, bytes) of every file that is there while we look; a run at work makes and removes some."""
    found = []
    for room, _, names in os.walk(folder.path):
        for name in names:
            path = Path(room, name)
            try:
                found.append((str(path.relative_to(folder.path)), path.stat().st_size))
            except OSError:
                continue
    return found


def undo(entry: Any, lang: str) -> Html:
    """The bar that takes a removal back."""
    words = say(lang, "page.runs.removed", name=entry.original)
    return tag(
        "p",
        words,
        " ",
        tag("button", say(lang, "page.runs.undo"), type="button", class_="tool", data_undo=entry.name),
        class_="undo",
        role="status",
    )


def _low(value: float | None) -> float:
    return float("inf") if value is None else value


def _said(lang: str, key: str, fallback: str) -> str:
    return say(lang, key) if has(lang, key) else fallback
