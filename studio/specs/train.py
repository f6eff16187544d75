"""TrainSpec: everything that a training run is, checked all at once."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

from pydantic import create_model

from studio.args.fields import Argument, Group, arguments
from studio.args.problems import of_choices, unknown_key
from studio.errors import Problem
from studio.plugins import kinds, plugin
from studio.specs.checking import refuse, validated
from studio.specs.groups import CORE
from studio.specs.older import translate
from studio.specs.rules import cross_field


def _groups() -> tuple[type[Group], ...]:
    """The core groups, then those of the tuners and methods in their order."""
    own = [getattr(plugin(room, name), "Arguments", None) for room in ("tuners", "methods") for name in kinds(room)]
    return (*CORE, *(group for group in own if group is not None))


GROUPS = _groups()
ARGUMENTS: Mapping[str, Argument] = MappingProxyType({a.name: a for group in GROUPS for a in arguments(group)})
ALIASES: Mapping[str, str] = MappingProxyType({old: a.name for a in ARGUMENTS.values() for old in a.aliases})


class _Frozen(Group):
    """The common base of the composed specs."""


# create_model cannot be typed by a checker; TrainSpec's attributes are the declared arguments.
TrainSpec: Any = create_model("TrainSpec", __base__=(*reversed(GROUPS), _Frozen),
                              __doc__="A checked training run; frozen.")


@cache
def belonging(stage: str, tuner: str) -> tuple[Argument, ...]:
    """The arguments that a run of this stage and tuner has, in the order of the form."""
    return tuple(a for a in ARGUMENTS.values() if a.belongs(stage, tuner))


def check(draft: Mapping[str, Any]) -> Any:
    """The TrainSpec of a draft; raises SpecError with every problem at once.

    `draft` holds values as typed on the page, read from YAML or given as flags; names of older recipes are taken.
    """
    values, problems = translate(draft, ARGUMENTS, ALIASES)
    unknown = [name for name in values if name not in ARGUMENTS]
    problems += [unknown_key(name, ARGUMENTS, ALIASES) for name in unknown]
    known = {name: value for name, value in values.items() if name in ARGUMENTS}
    spec, found = validated(TrainSpec, known, ARGUMENTS)
    problems += found
    if spec is not None:
        problems += of_choices(spec, ARGUMENTS)
        problems += _strangers(known, spec)
        problems += cross_field(spec, known)
    refuse(problems, ARGUMENTS)
    return spec


def _strangers(known: Mapping[str, Any], spec: Any) -> list[Problem]:
    """Given arguments of another stage or tuner; a value equal to its default does no harm and is dropped."""
    found = []
    for name in known:
        a, value = ARGUMENTS[name], getattr(spec, name)
        if a.belongs(spec.stage, spec.finetuning_type) or value == a.default:
            continue
        if a.stages and spec.stage not in a.stages:
            found.append(Problem("not_for_stage", name, {"value": value, "stage": spec.stage, "stages": a.stages}))
        else:
            found.append(Problem("not_for_tuner", name, {"value": value, "tuner": spec.finetuning_type,
                                                         "tuners": a.tuners}))
    return found


def document(spec: Any) -> dict[str, Any]:
    """Every argument that the run has, with its value, as plain data in the order of the form."""
    return {a.name: getattr(spec, a.name) for a in belonging(spec.stage, spec.finetuning_type)}


def changed(spec: Any) -> dict[str, Any]:
    """The arguments whose value is not the default; what a short YAML or a command needs."""
    return {name: value for name, value in document(spec).items() if value != ARGUMENTS[name].default}
