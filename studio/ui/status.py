"""A run in words: the head of the live panel, what happened at its end, and its log."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from studio.errors import StudioError
from studio.runs.state import State
from studio.specs import works
from studio.texts import has, say
from studio.texts.errors import of_error
from studio.ui import amounts
from studio.ui.markup import Html, join, tag

GUARD = "guard.json"  # in the results of a run
_TITLE = 160  # characters; the style cuts what is wider than the page


def dot(state: State, lang: str) -> Html:
    """A state as a coloured dot and its word."""
    return tag(
        "span", tag("i", aria_hidden="true"), say(lang, f"page.state.{state.value}"), class_=f"dot {state.value}"
    )


def head(glimpse: Any, lang: str) -> Html:
    """Name, state, figures and progress of a run; the same height whatever it is doing."""
    if glimpse is None:
        return tag("div", tag("p", say(lang, "page.live.none"), class_="quiet"), class_="status empty")
    total, step = glimpse.total, glimpse.step
    done = 1.0 if glimpse.state is State.FINISHED else step / total if total else 0.0
    if glimpse.phase == "tokenising" and glimpse.of:
        done = glimpse.done / glimpse.of
    learns = works.learns(glimpse)
    live = glimpse.state.is_live
    figures = [
        _figure(lang, "step" if learns else "done", _of(step, total)),
        _figure(
            lang,
            "elapsed",
            amounts.duration(glimpse.elapsed_seconds),
            data_counts=round(glimpse.elapsed_seconds) if live else None,
        ),
        _figure(lang, "remaining", amounts.duration(glimpse.eta_seconds) if live else "–"),
        *(_learned(glimpse, lang) if learns else ()),
    ]
    bar = tag(
        "div",
        tag("span", style=f"width:{100 * done:.1f}%"),
        class_=f"bar {glimpse.state.value}",
        role="progressbar",
        aria_valuemin=0,
        aria_valuemax=100,
        aria_valuenow=round(100 * done),
        aria_label=glimpse.name,
    )
    title = tag(
        "div",
        tag("a", glimpse.name, href=f"?tab=runs&run={glimpse.name}", data_run=glimpse.name, class_="name"),
        dot(glimpse.state, lang),
        tag("span", phase(glimpse, lang), class_="quiet phase"),
        class_="status-title",
    )
    return tag(
        "div",
        title,
        bar,
        tag("dl", *figures, class_="figures"),
        sentence(glimpse, lang),
        class_="status",
        data_state=glimpse.state.value,
        data_run_shown=glimpse.name,
        data_step=step,
        data_learns=None if learns else "false",
    )


def _of(step: int, total: int) -> str:
    return f"{amounts.count(step)} / {amounts.count(total)}" if total else "–"


def _learned(glimpse: Any, lang: str) -> tuple[Html, ...]:
    """The figures that only a training has."""
    return (
        _figure(lang, "speed", amounts.count(glimpse.tokens_per_second) if glimpse.tokens_per_second else "–"),
        _figure(lang, "loss", amounts.loss(glimpse.smoothed.values[-1] if glimpse.smoothed.values else None)),
        _figure(lang, "best", amounts.loss(glimpse.best_eval_loss)),
    )


def phase(glimpse: Any, lang: str) -> str:
    """What a run at work is doing just now; nothing for one that has ended."""
    if not glimpse.state.is_live:
        return ""
    key = f"page.phase.{glimpse.phase}"
    words = say(lang, key) if has(lang, key) else ""
    return f"{words} {glimpse.done:,} / {glimpse.of:,}" if glimpse.phase == "tokenising" and glimpse.of else words


def sentence(glimpse: Any, lang: str) -> Html:
    """What happened and what next, in a sentence; the room for it is always there."""
    kind = "problem" if glimpse.state in (State.FAILED, State.LOST) else ""
    return tag("p", " ".join(filter(None, [what_happened(glimpse, lang), forgotten(glimpse, lang)])),
               class_=f"happened {kind}".strip(), role="status")


def forgotten(glimpse: Any, lang: str) -> str:
    """What the forgetting guard says of a run that has finished; nothing where it was not asked."""
    results = getattr(glimpse, "results", None)
    if glimpse.state is not State.FINISHED or results is None or not (results / GUARD).exists():
        return ""
    from studio.scores.report import verdict

    found = verdict.view(results, lang)
    return " ".join(found.sentences) if found is not None else ""


def what_happened(glimpse: Any, lang: str) -> str:
    """The end of a run in words; nothing while it goes on, but that a stop was asked for."""
    state, took = glimpse.state, amounts.duration(glimpse.elapsed_seconds)
    if state is State.FINISHED:
        if glimpse.best_step is not None:
            return say(
                lang,
                "page.end.finished_best",
                took=took,
                step=f"{glimpse.best_step:,}",
                loss=amounts.loss(glimpse.best_eval_loss),
            )
        return say(lang, "page.end.finished" if works.learns(glimpse) else "page.end.other.finished", took=took)
    if state in (State.STOPPED, State.LOST):
        return _cut_short(glimpse, state.value, lang, took=took)
    if state is State.FAILED:
        return failure(glimpse, lang)
    return say(lang, "page.live.stopping") if state is State.STOPPING else ""


def failure(glimpse: Any, lang: str) -> str:
    """Why a run failed: the engine's own code, else the signal or exit code that ended it."""
    found, outcome = glimpse.failure or {}, glimpse.outcome or {}
    code = found.get("code")
    if code and has(lang, f"errors.{code}"):
        return of_error(lang, StudioError(code, **(found.get("values") or {})))
    if outcome.get("signal"):
        return _cut_short(glimpse, "signal", lang, signal=outcome["signal"])
    return _cut_short(glimpse, "failed", lang, code=outcome.get("exit_code", "?"))


def _cut_short(glimpse: Any, how: str, lang: str, **values: Any) -> str:
    """How a run ended before its time, and that it can go on; a run that does not learn has no checkpoints."""
    if works.learns(glimpse):
        return say(lang, f"page.end.{how}", step=f"{glimpse.step:,}", **values)
    return say(lang, f"page.end.other.{how}", done=f"{glimpse.step:,}", total=f"{glimpse.total:,}", **values)


def log(lines: Iterable[str], lang: str) -> Html:
    """The log's tail, one element a line, so that a selection in lines that stay survives."""
    written = [tag("div", line or "\u00a0") for line in lines]
    return (
        tag("div", *written, class_="log", tabindex="0")
        if written
        else tag("p", say(lang, "page.log.empty"), class_="quiet log")
    )


def log_title(lines: Sequence[str], lang: str) -> str:
    """The title of the folded log: its last line, as far as it fits."""
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    title = say(lang, "page.log.title")
    return f"{title} · {last[:_TITLE]}" if last else title


def _figure(lang: str, word: str, value: str, **attributes: Any) -> Html:
    return join(tag("div", tag("dt", say(lang, f"page.live.{word}")), tag("dd", value, **attributes)))
