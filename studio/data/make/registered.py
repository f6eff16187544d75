"""Made rows as datasets: a file in the data folder that was not there before, and its entry in the catalogue."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from studio.data import catalogue_file
from studio.data.aside import aside
from studio.data.catalogue import Catalogue, Entry
from studio.data.places import written
from studio.errors import InputError
from studio.workspace import Workspace


def check_free(workspace: Workspace, *names: str) -> None:
    """Raise InputError dataset_name or make_name_taken for names that cannot be given to new datasets."""
    taken = {entry.name for entry in Catalogue(workspace).entries()}
    for name in names:
        catalogue_file.check_name(name)
        if name in taken or file_of(workspace, name).exists():
            raise InputError("make_name_taken", name=name)


def register(workspace: Workspace, name: str, rows: Iterable[Any], about: Mapping[str, Any] | None = None) -> Entry:
    """Write rows as the dataset of a new name, whole or not at all; `about` goes into its entry.

    Raises InputError dataset_name, make_name_taken, WorkError disk_full and disk_refuses.
    """
    check_free(workspace, name)
    with aside(workspace.data) as folder:
        with open(folder / "rows.jsonl", "wb") as file:
            for row in rows:
                file.write(written(row))
            file.flush()
            os.fsync(file.fileno())
        return settle(workspace, name, folder / "rows.jsonl", about)


def settle(workspace: Workspace, name: str, file: Path, about: Mapping[str, Any] | None = None) -> Entry:
    """Make a finished file the dataset of a new name; raises InputError make_name_taken."""
    place = file_of(workspace, name)
    try:
        os.close(os.open(place, os.O_CREAT | os.O_EXCL, 0o644))  # the name is nobody else's
    except FileExistsError:
        raise InputError("make_name_taken", name=name) from None
    os.replace(file, place)
    return Catalogue(workspace).save(name, {**(about or {}), "file_name": place.name})


def file_of(workspace: Workspace, name: str) -> Path:
    """Where the rows of a made dataset are."""
    return workspace.data / f"{name}.jsonl"
