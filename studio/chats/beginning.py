"""What a conversation begins with when nobody has chosen yet: the newest result beside its base, or a model alone."""

from __future__ import annotations

from typing import Any

from studio.args import document
from studio.chats import lanes
from studio.errors import InputError, StudioError
from studio.runs.files import RunFolder
from studio.runs.store import RunStore
from studio.workspace import STARTER, Workspace


def beginning(workspace: Workspace, run: str = "") -> dict[str, Any]:
    """The settings to begin with; `run` (or `<run>/step-<n>`) asks for that checkpoint beside its base.

    What is asked for stands there even if it cannot be loaded, so that the lane says why.
    """
    return {"lanes": beside(workspace, run) if run else _newest(workspace) or [STARTER]}


def beside(workspace: Workspace, name: str) -> list[str]:
    """The base of a checkpoint, then the checkpoint itself; the name alone when its base is not known."""
    try:
        found = lanes.lane(name, workspace)
    except InputError:
        return [name]
    if found.adapter is not None:
        return [found.base_name, name]
    return [_before(workspace, found) or STARTER, name] if found.run else [name]


def _before(workspace: Workspace, found: lanes.Lane) -> str:
    """What a fully tuned checkpoint was before it learned."""
    try:
        return str(document.read(RunFolder(workspace.saves / found.run).spec).get("model_name_or_path") or "")
    except StudioError:
        return ""


def _newest(workspace: Workspace) -> list[str]:
    """The newest run that has a checkpoint, beside its base."""
    for summary in RunStore(workspace).summaries()[:20]:
        found = beside(workspace, summary.name)
        if len(found) > 1:
            return found
    return []
