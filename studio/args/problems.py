"""From a wrong value to a Problem; its sentence is found under `problems.<code>` in the user's language."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from studio.args.fields import Argument, Kind
from studio.errors import Problem

_BOUND = {"ge": "at_least", "gt": "more_than", "le": "at_most", "lt": "less_than"}


def of_validation(error: ValidationError, declared: Mapping[str, Argument]) -> list[Problem]:
    """One Problem per wrong argument: the type, else the bound that it breaks."""
    found: dict[str, Problem] = {}
    for item in error.errors(include_url=False):
        name = str(item["loc"][0])
        found.setdefault(name, _of_item(name, item["type"], item.get("input"), declared[name]))
    return list(found.values())


def _of_item(name: str, kind: str, value: Any, a: Argument) -> Problem:
    if kind == "finite_number":
        return Problem("not_finite", name, {"value": value})
    if isinstance(value, list | dict) and a.kind not in (Kind.LIST, Kind.DICT):
        return Problem("not_single", name, {"value": value, "kind": a.kind.value})
    return Problem(f"not_{a.kind.value}", name, {"value": value})


def not_numbers(values: Mapping[str, Any], declared: Mapping[str, Argument]) -> list[Problem]:
    """True and false given where a number belongs: Python, and so pydantic, would take them for 1 and 0."""
    return [Problem(f"not_{declared[name].kind.value}", name, {"value": value}) for name, value in values.items()
            if isinstance(value, bool) and declared[name].kind in (Kind.INT, Kind.FLOAT)]


def of_bounds(name: str, value: Any, a: Argument) -> Problem | None:
    """The first bound that a number breaks."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    broken = {"ge": a.ge is not None and value < a.ge, "gt": a.gt is not None and value <= a.gt,
              "le": a.le is not None and value > a.le, "lt": a.lt is not None and value >= a.lt}
    for bound, is_broken in broken.items():
        if is_broken:
            return Problem(_BOUND[bound], name, {"value": value, "bound": getattr(a, bound)})
    return None


def of_choices(spec: Any, declared: Mapping[str, Argument]) -> list[Problem]:
    """Bounds and choices of a spec whose types are right."""
    found = []
    for name, a in declared.items():
        value = getattr(spec, name)
        if problem := of_bounds(name, value, a):
            found.append(problem)
        elif a.choices and not a.open_choices and value is not None and value not in a.choices:
            found.append(not_a_choice(name, value, a.choices))
    return found


def not_a_choice(name: str, value: Any, choices: tuple[Any, ...]) -> Problem:
    """A value that is none of the choices, with the nearest one."""
    near = difflib.get_close_matches(str(value), [str(choice) for choice in choices], 1, 0.5)
    return Problem("not_a_choice", name, {"value": value, "choices": choices,
                                          "nearest": near[0] if near else str(choices[0])})


def unknown_key(name: str, declared: Mapping[str, Argument], aliases: Mapping[str, str]) -> Problem:
    """A key that the studio does not have, with the nearest one that it has."""
    near = max([*declared, *aliases], key=lambda known: _likeness(name, known), default="")
    if not near or _likeness(name, near) < 0.5:
        return Problem("unknown", name, {"name": name, "nearest": ""})
    return Problem("unknown_near", name, {"name": name, "nearest": aliases.get(near, near)})


def _likeness(name: str, known: str) -> float:
    """How alike two keys are, from 0 to 1; words inside a longer key count nearly as much (`rank`, `batch_size`)."""
    words = known.split("_")
    inside = ["_".join(words[start:end]) for start in range(len(words)) for end in range(start + 1, len(words) + 1)]
    alike = max(0.9 * difflib.SequenceMatcher(None, name, part).ratio() for part in inside) - len(words) / 100
    return max(difflib.SequenceMatcher(None, name, known).ratio(), alike)
