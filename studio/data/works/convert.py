"""Write a dataset in another format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.data.catalogue import Catalogue
from studio.data.convert import convert
from studio.errors import InputError
from studio.workspace import Workspace


def work(arguments: Mapping[str, Any], workspace: Workspace, tell: Callable[[int, int], None],
         should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Arguments: name, to (a format), file (a path below data/); the result has the path and the counts."""
    path = (workspace.data / str(arguments["file"])).resolve()
    if not path.is_relative_to(workspace.data.resolve()):
        raise InputError("dataset_outside", name=path.stem, path=str(path), folder=str(workspace.data))
    entry = Catalogue(workspace).entry(str(arguments["name"]))
    done = convert(entry, str(arguments["to"]), path, tell, should_stop)
    return {"path": str(done.path), "rows": done.rows, "written": done.written, "left_out": done.left_out,
            "examples": {reason: [list(place) for place in places] for reason, places in done.examples.items()}}
