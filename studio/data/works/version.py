"""Save the draft of a dataset as a new version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.data.versions import Versions
from studio.workspace import Workspace


def work(arguments: Mapping[str, Any], workspace: Workspace, tell: Callable[[int, int], None],
         should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Arguments: name, base (1 unless given), why; the result is the new version's key, number and counts."""
    version = Versions(workspace).save_draft(arguments["name"], int(arguments.get("base", 1)),
                                             str(arguments.get("why", "")), tell, should_stop)
    return {"key": version.key, "name": version.name, "number": version.number, "parent": version.parent,
            "rows": version.rows, "edited": version.edited, "deleted": version.deleted, "added": version.added}
