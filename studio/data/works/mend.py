"""Take problems out of a dataset: what the doctor can safely mend, as a new version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from studio.data.doctor import fix
from studio.data.doctor.report import is_of, read
from studio.data.versions import Versions
from studio.errors import InputError
from studio.workspace import Workspace


def work(arguments: Mapping[str, Any], workspace: Workspace, tell: Callable[[int, int], None],
         should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Arguments: name (also NAME@2), folder (that of the report), codes, why; the result tells the new version.

    Raises InputError doctor_outdated when the report is no more or the dataset has changed since.
    """
    versions = Versions(workspace)
    name, base = versions.named(arguments["name"])
    entry = versions.entry(name, base)
    report = read(Path(arguments["folder"]))
    if report is None or not is_of(Path(arguments["folder"]), entry):
        raise InputError("doctor_outdated", name=entry.name)
    version = versions.save(name, base, fix(entry, report, arguments["codes"], workspace.cache),
                            str(arguments.get("why", "")), tell, should_stop)
    return {"key": version.key, "name": version.name, "number": version.number, "parent": version.parent,
            "rows": version.rows, "edited": version.edited, "deleted": version.deleted}
