"""Every row of a dataset as training reads it: where it stands, what it is, and the Sample or why there is none.

Training, the doctor, the preview and the browser walk the same way, so that what is shown is what is trained.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from studio.data import reading, recognise
from studio.data.catalogue import Entry, sources_of
from studio.errors import InputError
from studio.plugins.formats import Unusable
from studio.sample import Sample

UNRECOGNISED = "unrecognised"
LOOKED_AT = 24
Reader = Callable[[Any], Sample]


class Place(NamedTuple):
    """Where a row stands: the file's name, the line on which the row begins, its number from 0 in the dataset."""

    file: str
    line: int
    number: int


Step = tuple[Place, Any, Sample | str]
Line = tuple[int, Any, str | None]


def walk(entry: Entry, *, at: Callable[[int], None] | None = None, limit: int | None = None) -> Iterator[Step]:
    """(place, row, Sample or code under `data.skipped`) of every row of an entry, in the order of its files.

    A line that is no row is a step too, with None for the row. Each file of a folder is recognised for itself. `at` is
    told how many bytes lie behind now and then. Raises InputError: dataset_remote, dataset_formatting, and those of
    `reading`.
    """
    return itertools.islice(_steps(entry, at), limit)


def _steps(entry: Entry, at: Callable[[int], None] | None) -> Iterator[Step]:
    number = behind = 0
    for source in sources_of(entry):
        name = source.name
        lines = _lines(source, None if at is None else lambda place: at(behind + place))  # noqa: B023
        looked_at, broken = _looked_at(lines)
        understand = recognise.reader(entry, [row for _, row, why in looked_at if why is None])
        for line, row, why in itertools.chain(looked_at, lines):
            yield Place(name, line, number), row, why or _understood(understand, row)
            number += 1
        if broken is not None:
            raise broken
        behind += source.size


def _looked_at(lines: Iterator[Line]) -> tuple[list[Line], InputError | None]:
    """The first lines, by which rows are recognised, and the error that ended them."""
    found: list[Line] = []
    try:
        found.extend(itertools.islice(lines, LOOKED_AT))
    except InputError as error:
        return found, error
    return found, None


def _lines(source: reading.Source, at: Callable[[int], None] | None) -> Iterator[Line]:
    """(line, row, None) of every row and (line, None, reason) of every line that is none, in their order."""
    broken: list[Line] = []
    try:
        for line, row in reading.numbered(source, at, lambda line, code, detail: broken.append((line, None, code))):
            if broken:
                yield from broken
                broken.clear()
            yield line, row, None
    except InputError:
        yield from broken
        raise
    yield from broken


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
