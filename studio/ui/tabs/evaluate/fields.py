"""Declared arguments as plain HTML: label, bounds, explanation and what is wrong, all from the declaration."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from studio.args.fields import Argument, Kind
from studio.scores.judge import own_rubric
from studio.specs.evaluate import ARGUMENTS
from studio.ui import widgets
from studio.ui.markup import Html, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.evaluate.visit import Visit

# Where the form asks in its own way.
EXAM = ("eval_split", "n_shot")
OWN = frozenset({"stage", "eval_models", "eval_run", "dataset", "dataset_dir", "max_samples", "metrics",
                 "model_name_or_path", "adapter_name_or_path", "custom_hash", "task", "guard", "n_shot", "eval_split"})
_ASKED = ("guard", *EXAM)
_RUBRIC = "judge_rubric"
ANSWERING = ("sampling", "training")
JUDGE = ("judge",)
MACHINE = ("loading", "evaluation", "hardware", "saving")


def names(groups: Iterable[str]) -> list[str]:
    """The arguments of groups that are drawn as plain fields."""
    return [a.name for group in groups for a in ARGUMENTS.values() if a.group == group and a.name not in OWN]


def draw(visit: Visit, name: str, typed: Mapping[str, Any], wrong: Mapping[str, str]) -> Html:
    """An argument with what was typed into it."""
    a = ARGUMENTS[name]
    held, said = typed.get(name, widgets.shown(a, a.default)), wrong.get(name)
    if a.kind is Kind.BOOL and not a.optional:
        box = controls.tick(name, widgets.label(name)(visit.lang), held in (True, "true"), change="settle")
    else:
        box = controls.labelled(widgets.label(name)(visit.lang), _box(visit, a, str(held), said))
    beside = tag("small", said, class_="problem", role="alert") if said else None
    return tag("div", box, beside, title=widgets.tip(name)(visit.lang), data_key=f"of-{name}",
               class_="parameter changed" if name in changed(typed) else "parameter")


def _box(visit: Visit, a: Argument, held: str, wrong: str | None) -> Html:
    if a.name == _RUBRIC:
        return controls.area(a.name, held, data_change="settle", placeholder=own_rubric(visit.lang))
    if a.choices or a.kind is Kind.BOOL:
        offered = [(str(value), words) for words, value in widgets.choices(a)(visit.lang)]
        if a.open_choices and held and held not in dict(offered):
            offered.append((held, held))
        return controls.choose(a.name, offered, held, change="settle")
    return controls.field(a.name, held, hint=str(widgets.placeholder(a)(visit.lang)), change="settle",
                          inputmode="decimal" if a.kind in (Kind.INT, Kind.FLOAT) else None,
                          aria_invalid="true" if wrong else None)


def read(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed into plain fields, by argument; what is as declared is left out."""
    return {name: value for name, value in fields.items()
            if name in ARGUMENTS and (name not in OWN or name in _ASKED) and str(value).strip() != str(_shown(name))}


def changed(typed: Mapping[str, Any]) -> list[str]:
    """The arguments that somebody has changed."""
    return list(read(typed))


def draft(typed: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of what was typed, as a spec's draft holds them."""
    found = {name: widgets.typed(ARGUMENTS[name], value) for name, value in typed.items() if name in ARGUMENTS}
    return {name: value for name, value in found.items() if value is not widgets.LEFT_OUT}


def _shown(name: str) -> Any:
    return widgets.shown(ARGUMENTS[name], ARGUMENTS[name].default)
