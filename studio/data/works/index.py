"""Find the places of a dataset's rows, and measure them, so that the page opens it in a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.data.browse import Browser
from studio.data.versions import Versions
from studio.workspace import Workspace


def work(arguments: Mapping[str, Any], workspace: Workspace, tell: Callable[[int, int], None],
         should_stop: Callable[[], bool]) -> dict[str, Any]:
    """Arguments: name, version (1 unless given), lengths (whether to measure them too); the result is {rows}."""
    entry = Versions(workspace).entry(arguments["name"], int(arguments.get("version", 1)))
    browser = Browser.of(entry, workspace, None, tell, should_stop)
    if arguments.get("lengths"):
        browser.lengths(tell, should_stop)
    return {"rows": browser.index.rows}
