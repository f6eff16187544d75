"""Tasks of the lm-evaluation-harness as questions: named by hand, or folders in the data folder that declare some."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.errors import InputError, Problem, SpecError, StudioError
from studio.scores import harness
from studio.texts.errors import of_error
from studio.ui.markup import Html, tag
from studio.ui.tabs.data import controls
from studio.ui.tabs.evaluate.visit import Visit

_EXAMPLES = "arc_easy, hellaswag"


def draw(visit: Visit) -> Html:
    """Where tasks are named; without the harness how to come by it."""
    try:
        harness.program()
    except StudioError as error:
        return controls.problem(of_error(visit.lang, error))
    own = sorted(folders(visit))
    known = controls.joined(visit.lang, own)
    note = visit.say("setup.tasks_own", folders=known) if own else visit.say("setup.tasks_note")
    named = controls.field("tasks", _named(visit), hint=_EXAMPLES, change="settle")
    return tag("div", controls.labelled(visit.say("setup.tasks"), named, note), data_key="tasks")


def folders(visit: Visit) -> Mapping[str, Path]:
    """The folders of the data folder that declare tasks, by name."""
    found = {}
    for path in sorted(visit.workspace.data.glob("*/")):
        try:
            harness.tasks([str(path)])
        except InputError:
            continue
        found[path.name] = path
    return found


def draft(visit: Visit) -> dict[str, Any]:
    """The arguments that say what is asked; raises SpecError for a folder that is not in the data folder."""
    own = folders(visit)
    names = [name for one in _named(visit).split(",") if (name := one.strip())]
    for name in names:
        if name not in own and Path(name).expanduser().is_dir():
            raise SpecError([Problem("harness_folder_outside", "dataset", {"path": name})])
    return {"dataset": [str(own.get(name, name)) for name in names], "metrics": []}


def spelled(visit: Visit, names: Sequence[str]) -> str:
    """Tasks as they are typed: a folder of the data folder by its name."""
    own = {str(path): name for name, path in folders(visit).items()}
    return ", ".join(own.get(name, name) for name in names)


def _named(visit: Visit) -> str:
    return str(visit.place.of("setup").get("tasks") or "")
