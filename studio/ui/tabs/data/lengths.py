"""Lengths: how long the rows are for this model, what a cutoff would cut, turns, languages and sources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.data import catalogue, jobs
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, curves, eyes, work
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

_BATCH = 8


def draw(visit: Visit) -> Html:
    """The last figures of this set with this model, template and cutoff, or the way to them."""
    eyes.chat(visit)
    job, found = _measured(visit)
    if found is None:
        running = work.drawn(visit, job, visit.say("lengths.measuring")) if job else None
        if job is not None and job.look().state == jobs.RUNNING:
            return running or tag("div")
        return join(
            running,
            controls.note(visit.say("lengths.intro")),
            controls.note(eyes.terms(visit)),
            _mix(visit),
            controls.row(controls.button(visit.say("lengths.measure"), "measure", kind="strong")),
        )
    return join(
        controls.note(eyes.terms(visit)),
        _mix(visit),
        _counters(visit, found),
        _suggestion(visit, found),
        tag("div", curves.histogram(visit, found, "tokens"), curves.histogram(visit, found, "trained"), class_="two"),
        tag("div", _percentiles(visit, found), _cutoffs(visit, found), class_="two"),
        _shares(visit, found),
    )


def whole(visit: Visit) -> Html:
    """The counters of the whole set, below one row of it."""
    job, found = _measured(visit)
    title = tag("h3", visit.say("lengths.whole_set"))
    if found is not None:
        return controls.card(title, _counters(visit, found))
    if job is not None and job.look().state == jobs.RUNNING:
        return controls.card(title, work.drawn(visit, job, visit.say("lengths.measuring")))
    return controls.card(
        title,
        controls.row(
            controls.button(visit.say("lengths.count"), "measure"),
            tag("span", visit.say("lengths.count_tip"), class_="quiet"),
        ),
    )


def together(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Measured as a mix with another set, or alone."""
    return visit.place.keep("lengths", **{"with": str(said.get("value", ""))})


def measure(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Measure all rows in a process of its own."""
    eyes.chat(visit)
    work.start(visit, "statistics", **_terms(visit))
    return visit.place


ACTIONS = {"measure": measure, "together": together, **work.ACTIONS}


def _terms(visit: Visit) -> dict[str, Any]:
    """What the figures belong to."""
    from studio.data.index import stamps_of

    with_ = str(visit.place.of("lengths").get("with", ""))
    together = [with_] if with_ else []
    list_ = catalogue.Catalogue(visit.desk.workspace) if together else None
    return {
        "name": visit.place.set,
        "together": together,
        "model": str(eyes.folder(visit)),
        "template": str(visit.reading["template"]),
        "default_system": visit.reading["default_system"],
        "cutoff_len": eyes.cutoff_len(visit),
        **eyes.options(visit),
        "stamps": [
            *stamps_of(visit.entry),
            *(one for name in together if list_ for one in stamps_of(list_.entry(name))),
        ],
    }


def _measured(visit: Visit) -> tuple[jobs.Job | None, dict[str, Any] | None]:
    """The newest measuring of this set as it is now, and its figures once it has finished."""
    job = work.latest(visit, "statistics", **_terms(visit))
    look = job.look() if job else None
    return job, look.result if look is not None and look.state == jobs.FINISHED else None


def _mix(visit: Visit) -> Html:
    """The choice of a set to be measured together with this one."""
    here = (visit.place.set, visit.place.name)
    others = [(value, name) for name, value in visit.desk.datasets(visit.lang) if value not in here]
    offered = [("", visit.say("lengths.alone")), *others]
    chosen = str(visit.place.of("lengths").get("with", ""))
    return tag(
        "div",
        controls.labelled(visit.say("lengths.together"), controls.choose("with", offered, chosen, change="together")),
        class_="fields-of",
    )


def _counters(visit: Visit, found: Mapping[str, Any]) -> Html:
    names = ("rows", "used", "trained_tokens", "context_tokens", "cut_tokens", "cut_rows", "padding")
    pairs = [(visit.say(f"lengths.{name}"), amounts.count(found[name])) for name in names]
    return controls.numbers(
        [*pairs, (visit.say("lengths.share"), amounts.share(found["trained_tokens"], max(1, found["tokens"])))]
    )


def _suggestion(visit: Visit, found: Mapping[str, Any]) -> Html | None:
    value = found["suggested"]
    at = next((one for one in found["cutoffs"] if one["cutoff_len"] == value), None)
    if not value or at is None:
        return None
    words = visit.say(
        "lengths.suggested",
        value=amounts.count(value),
        cut=amounts.count(at["cut_rows"]),
        lost=amounts.count(at["lost_rows"]),
    )
    if value == found["cutoff_len"]:
        return controls.good(visit.say("lengths.suits", value=amounts.count(value)))
    return controls.row(
        tag("span", words),
        controls.button(visit.say("lengths.use", value=value), "use", kind="strong", event="submit", cutoff_len=value),
        class_="unsaved",
    )


def _percentiles(visit: Visit, found: Mapping[str, Any]) -> Html:
    kinds = ("tokens", "trained", "characters")
    head = ["", *(visit.say(f"lengths.of_{name}") for name in kinds)]
    figures = [found["lengths"][kind]["describe"] for kind in kinds]
    rows = [[_named(visit, name), *(_figure(one[name]) for one in figures)] for name in figures[0]]
    return tag("section", tag("h3", visit.say("lengths.percentiles")), controls.table(head, rows, "figures-of"))


def _named(visit: Visit, name: str) -> str:
    """A figure of pandas' describe() in words; a percentile as it is."""
    key = {"count": "count_rows"}.get(name, name)
    return visit.say(f"lengths.{key}") if key in ("count_rows", "mean", "std", "min", "max") else name


def _cutoffs(visit: Visit, found: Mapping[str, Any]) -> Html | None:
    if not found["cutoffs"]:
        return None
    learned = max(1, max(one["trained_tokens"] for one in found["cutoffs"]))
    head = [visit.say(f"lengths.cutoff_{name}") for name in ("value", "cut", "lost", "left")]
    rows = [
        [
            amounts.count(one["cutoff_len"]),
            amounts.count(one["cut_rows"]),
            amounts.count(one["lost_rows"]),
            amounts.share(one["trained_tokens"], learned),
        ]
        for one in found["cutoffs"]
    ]
    return tag("section", tag("h3", visit.say("lengths.cutoffs")), controls.table(head, rows, "figures-of"))


def _shares(visit: Visit, found: Mapping[str, Any]) -> Html:
    languages = [
        (visit.say(f"lengths.language_{name}"), amounts.count(rows))
        for name, rows in found["languages"].items()
        if rows
    ]
    turns = [
        (visit.say("lengths.turns_of", count=count), amounts.count(rows)) for count, rows in found["turns"].items()
    ]
    sections = (
        [tag("section", tag("h3", visit.say("lengths.languages")), controls.facts(languages))] if languages else []
    )
    if turns:
        sections.append(tag("section", tag("h3", visit.say("lengths.turns")), controls.facts(turns[:12])))
    if len(found["sources"]) > 1:
        rows = [
            [name, *(amounts.count(one[key]) for key in ("read", "rows", "tokens", "trained_tokens", "cut_rows"))]
            for name, one in found["sources"].items()
        ]
        head = [
            visit.say(f"lengths.{name}") for name in ("source", "rows", "used", "tokens", "trained_tokens", "cut_rows")
        ]
        sections.append(tag("section", tag("h3", visit.say("lengths.sources")), controls.table(head, rows)))
    return tag("div", *sections, class_="two")


def _figure(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() or value >= 1000 else f"{value:,.1f}"
