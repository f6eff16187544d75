"""Bring a dataset from a hub."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.data import fetching, reading
from studio.workspace import Workspace


def work(arguments: Mapping[str, Any], workspace: Workspace, tell: Callable[[int, int], None],
         should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Arguments: name, hub and, where only a part is wanted, subset, folder, split, revision; bytes are told.

    The result: {"name", "hub", "path", "files": how many, "bytes"}.
    """
    parts = {key: str(arguments.get(key) or "") for key in ("subset", "folder", "split", "revision")}
    name, hub = str(arguments["name"]), str(arguments.get("hub") or fetching.hubs()[0])
    path = fetching.fetch_dataset(name, hub, workspace, tell, should_stop, **parts)
    sources = reading.sources(path)
    return {"name": name, "hub": hub, "path": str(path), "files": len(sources),
            "bytes": sum(one.size for one in sources)}
