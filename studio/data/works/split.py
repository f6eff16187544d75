"""Split a dataset into train, validation and test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.data.catalogue import Catalogue
from studio.data.split import split
from studio.workspace import Workspace


def work(arguments: Mapping[str, Any], workspace: Workspace, tell: Callable[[int, int], None],
         should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Arguments: name, shares, seed, to (what the sides are called, else NAME); the result is what Split has."""
    made = split(Catalogue(workspace).entry(arguments["name"]), workspace, arguments.get("shares", (0.8, 0.1, 0.1)),
                 int(arguments.get("seed", 42)), str(arguments.get("to", "")), tell, should_stop)
    return {"names": dict(made.names), "rows": dict(made.rows), "left_out": dict(made.left_out), "groups": made.groups}
