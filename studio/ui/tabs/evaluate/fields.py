"""The arguments of an evaluation as fields: which of them are drawn so, and what was typed into them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from studio.scores.judge import own_rubric
from studio.specs.evaluate import ARGUMENTS
from studio.ui.markup import Html
from studio.ui.tabs import declared
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
    hint = own_rubric(visit.lang) if name == _RUBRIC else None
    return declared.draw(visit.lang, ARGUMENTS[name], typed, wrong, area_hint=hint)


def read(fields: Mapping[str, Any]) -> dict[str, Any]:
    """What was typed into plain fields, by argument; what is as declared is left out."""
    return {name: value for name, value in declared.read(ARGUMENTS, fields).items()
            if name not in OWN or name in _ASKED}


def changed(typed: Mapping[str, Any]) -> list[str]:
    """The arguments that somebody has changed."""
    return list(read(typed))


def draft(typed: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of what was typed, as a spec's draft holds them."""
    return declared.draft(ARGUMENTS, typed)
