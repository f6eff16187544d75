"""Changing rows: an editor in the row's place, steps that can be undone, and all of them saved as a new version."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from studio.data.browse import Row
from studio.data.edits import Draft
from studio.data.versions import Versions
from studio.errors import StudioError
from studio.ui import amounts
from studio.ui.markup import Html, tag
from studio.ui.tabs.data import controls, indexing
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

_WHOLE = "whole"
_FIELD = "cell-"
_TALL = 90


def draft(visit: Visit) -> Draft:
    """The unsaved edits of the opened set."""
    return Versions(visit.desk.workspace).draft(visit.place.name, visit.place.version or 1)


def bar(visit: Visit, edits: Draft | None) -> Html | None:
    """What has been changed and not saved; nothing while nothing was."""
    if edits is None or not (edits.steps or edits.undone):
        return None
    made = edits.edits
    parts = [
        ("edited", len(made.changed)),
        ("deleted", len(made.deleted)),  # type: ignore[arg-type]
        ("added", len(made.added)),
    ]
    said = [visit.say(f"edit.{name}", count=amounts.count(count)) for name, count in parts if count]
    words = visit.say("edit.unsaved", what=controls.joined(visit.lang, said)) if said else visit.say("edit.nothing")
    return tag(
        "div",
        tag("span", words),
        controls.row(
            controls.button(visit.say("edit.undo"), "undo", off=not edits.steps),
            controls.button(visit.say("edit.redo"), "redo", off=not edits.undone),
            controls.button(visit.say("edit.save"), "save_version", kind="strong", off=not said),
            controls.button(visit.say("edit.discard"), "discard", kind="link"),
        ),
        class_="unsaved line-up apart",
        data_key="unsaved",
    )


def editor(visit: Visit, row: Row) -> Html:
    """The row to write in: a field a column where columns hold plain words, else the row as JSON."""
    number = row.place.number
    if isinstance(row.raw, dict) and row.raw and all(isinstance(value, str) for value in row.raw.values()):
        fields = [
            controls.labelled(name, controls.area(f"{_FIELD}{place}", value, _lines(value)))
            for place, (name, value) in enumerate(row.raw.items())
        ]
    else:
        fields = [controls.labelled(visit.say("edit.as_json"), controls.area(_WHOLE, row.text, _lines(row.text)))]
    return controls.form(
        "put",
        *fields,
        controls.row(
            controls.submit(visit.say("edit.put"), kind="strong"),
            controls.button(visit.say("edit.leave"), "edit", kind="quiet"),
        ),
        to=number,
        escape="edit",
        focus=f"row-{number}",
        class_="editor",
    )


def _lines(text: str) -> int:
    return min(16, sum(1 + len(line) // _TALL for line in text.split("\n")) + 1)


def way_out(visit: Visit, error: StudioError) -> Html | None:
    """What a person can press when steps that fit their file no more keep the rows from being shown."""
    if error.code != "draft_outdated" or visit.place.part != "rows":
        return None
    return controls.row(controls.button(visit.say("edit.discard"), "discard"))


def edit(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Open a row to write in, or close it."""
    return visit.place.keep("rows", open=str(said.get("to", "")))


def put(visit: Visit, said: Mapping[str, Any]) -> Place:
    """What was written takes the row's place."""
    number, fields = int(said.get("to", 0)), said.get("fields") or {}
    if _WHOLE in fields:
        try:
            row = json.loads(str(fields[_WHOLE]))
        except ValueError as error:
            return visit.place.tell("page.data.edit.not_json", reason=str(error))
    else:
        before = indexing.opened(visit).row(number).raw
        row = {name: str(fields.get(f"{_FIELD}{place}", value)) for place, (name, value) in enumerate(before.items())}
    draft(visit).edit(number, row)
    return visit.place.keep("rows", open="")


def delete(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Leave a row out."""
    draft(visit).delete([int(said.get("to", 0))])
    return visit.place


def restore(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Have a row as it was."""
    draft(visit).restore([int(said.get("to", 0))])
    return visit.place


def undo(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Take the last step back."""
    draft(visit).undo()
    return visit.place


def redo(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Do the last undone step again."""
    draft(visit).redo()
    return visit.place


def discard(visit: Visit, said: Mapping[str, Any]) -> Place:
    """Forget all unsaved steps, even those that fit their file no more."""
    Versions(visit.desk.workspace).discard(visit.place.name, visit.place.version or 1)
    return visit.place


ACTIONS = {
    "edit": edit,
    "put": put,
    "delete": delete,
    "restore": restore,
    "undo": undo,
    "redo": redo,
    "discard": discard,
}
