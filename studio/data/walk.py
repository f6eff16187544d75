"""Every row of a dataset as training reads it: where it stands, what it is, and the Sample or why there is none.

Training, the doctor, the preview and the browser walk the same way, so that what is shown is what is trained.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from studio.data import reading
from studio.data.catalogue import Entry
from studio.errors import InputError
from studio.plugins import kinds, plugin
from studio.plugins.formats import Unusable
from studio.sample import Sample

UNRECOGNISED = "unrecognised"
_LOOKED_AT = 20
Reader = Callable[[Any], Sample]


class Place(NamedTuple):
    """Where a row stands: the file's name, the line on which the row begins, its number from 0 in the dataset."""

    file: str
    line: int
    number: int


Step = tuple[Place, Any, Sample | str]


def walk(entry: Entry, *, at: Callable[[int], None] | None = None, limit: int | None = None) -> Iterator[Step]:
    """(place, row, Sample or code under `data.skipped`) of every row of an entry, in the order of its files.

    A line that is no row is a step too, with None for the row. `at` is told how many bytes lie behind now and then.
    Raises InputError: dataset_remote, dataset_formatting, and those of `reading`.
    """
    return itertools.islice(_steps(entry, at), limit)


def _steps(entry: Entry, at: Callable[[int], None] | None) -> Iterator[Step]:
    read = _declared(entry)
    number = behind = 0
    for path in reading.files(path_of(entry)):
        name = path.name
        numbered = _numbered(path, None if at is None else lambda place: at(behind + place))  # noqa: B023
        looked_at = list(itertools.islice(numbered, _LOOKED_AT))
        understand = read or _recognised([row for _, row in looked_at])
        for line, row in itertools.chain(looked_at, numbered):
            yield Place(name, line, number), row, _understood(understand, row)
            number += 1
        behind += path.stat().st_size


def _numbered(path: Path, at: Callable[[int], None] | None) -> Iterator[tuple[int, Any]]:
    return enumerate(reading.rows(path, at), 1)


def _understood(understand: Reader | None, row: Any) -> Sample | str:
    if understand is None:
        return UNRECOGNISED if isinstance(row, dict) else "not_an_object"
    try:
        return understand(row)
    except Unusable as why:
        return why.reason


def path_of(entry: Entry) -> Path:
    """The entry's file or folder; raises InputError dataset_remote for one that is not on this disk."""
    if entry.path is None:
        raise InputError("dataset_remote", name=entry.name, remote=entry.remote or "")
    return entry.path


def _declared(entry: Entry) -> Reader | None:
    """The reading function that the catalogue asks for; None when the rows are to be looked at."""
    name = entry.formatting
    if name is None and entry.columns:
        name = "sharegpt" if "messages" in entry.columns else "alpaca"
    if name is None:
        return None
    if name not in kinds("formats"):
        raise InputError("dataset_formatting", name=entry.name, value=name, kinds=", ".join(kinds("formats")))
    return plugin("formats", name).reader(entry.columns, entry.tags)


def _recognised(rows: list[Any]) -> Reader | None:
    """The reading function for what the rows look like; None when they look like nothing known."""
    for row in rows:
        if isinstance(row, dict):
            name = next((kind for kind in kinds("formats") if plugin("formats", kind).recognises(row)), None)
            if name is not None:
                return plugin("formats", name).reader({}, {})
    return None
