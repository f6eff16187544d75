"""Search the rows of a large dataset."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from studio.data.browse import Browser
from studio.data.versions import Versions
from studio.workspace import Workspace

MOST_KEPT = 50


def work(arguments: Mapping[str, Any], workspace: Workspace, tell: Callable[[int, int], None],
         should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Arguments: name, version, words, pattern and any_case; the result is {count, rows}, a file of row numbers."""
    versions = Versions(workspace)
    name, version = arguments["name"], int(arguments.get("version", 1))
    browser = Browser.of(versions.entry(name, version), workspace, versions.draft(name, version), None, should_stop)
    asked = (str(arguments["words"]), bool(arguments.get("pattern")), bool(arguments.get("any_case", True)))
    found = [number for some in browser.search(*asked, tell, should_stop) for number in some]
    room = workspace.cache / "found"
    room.mkdir(parents=True, exist_ok=True)
    for old in sorted(room.glob("*.npy"), key=lambda path: path.stat().st_mtime, reverse=True)[MOST_KEPT:]:
        old.unlink(missing_ok=True)
    key = hashlib.sha256(json.dumps([browser.index.folder.name, *asked, found[:1], len(found)]).encode()).hexdigest()
    aside, kept = room / f".{os.getpid()}.npy", room / f"{key[:32]}.npy"
    np.save(aside, np.array(found, np.int64))
    os.replace(aside, kept)
    return {"count": len(found), "rows": str(kept)}
