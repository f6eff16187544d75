"""What every kind of spec is checked by: right values first, every problem at once, in the order of the form."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError, create_model

from studio.args.fields import Argument, Group
from studio.args.problems import not_numbers, of_validation
from studio.errors import Problem, SpecError


def validated(model: Any, known: Mapping[str, Any], declared: Mapping[str, Argument]) -> tuple[Any, list[Problem]]:
    """The spec and no problem; else the spec of what is right, so that the other rules are checked too."""
    problems = not_numbers(known, declared)
    try:
        model(**known)
    except ValidationError as error:
        problems += of_validation(error, declared)
    wrong = {problem.field for problem in problems}
    return model(**{name: value for name, value in known.items() if name not in wrong}), problems


def refuse(problems: Sequence[Problem], declared: Mapping[str, Argument]) -> None:
    """Raise SpecError with the problems, if there are any, in the order in which the arguments are declared."""
    if problems:
        order = {name: place for place, name in enumerate(declared)}
        raise SpecError(sorted(problems, key=lambda problem: order.get(problem.field, -1)))


def borrowed(heading: str, source: type[Group], names: Sequence[str], **defaults: Any) -> type[Group]:
    """A group of arguments that another group declares, under their names; some with another default."""
    fields: dict[str, Any] = {}
    for name in names:
        info = copy.copy(source.model_fields[name])
        if name in defaults:
            info.default = defaults[name]
            info.default_factory = None
            info._attributes_set.update(default=defaults[name])
        fields[name] = (info.annotation, info)
    made: type[Group] = create_model(f"{heading.title()}Borrowed", __base__=Group, **fields)
    made.group = heading
    return made
