"""A small route that gives an evaluation's report to be looked at, and its files to be taken along."""

from __future__ import annotations

from typing import Any

from studio.errors import StudioError
from studio.runs.store import RunStore
from studio.scores.predictions import NAME, OLDER_NAME
from studio.scores.report import HTML, MARKDOWN, TABLE
from studio.scores.report.page import POLICY
from studio.workspace import Workspace

PATH = "/studio/evaluation/{run}/{name}"
NAMES = (HTML, *MARKDOWN.values(), TABLE, NAME, OLDER_NAME)


def route(app: Any, workspace: Workspace) -> None:
    """Let `app` give the results of evaluations; it stands behind the guard as everything else does."""
    from fastapi.responses import FileResponse, Response

    def file(run: str, name: str, take: int = 0) -> Any:
        try:
            path = RunStore(workspace).find(run).results / name
        except StudioError:
            return Response(status_code=404)
        if name not in NAMES or not path.is_file():
            return Response(status_code=404)
        headers = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
        if name == HTML and not take:
            policy = f"{POLICY}; sandbox allow-popups"
            return FileResponse(path, media_type="text/html; charset=utf-8",
                                headers={**headers, "content-security-policy": policy})
        return FileResponse(path, filename=f"{run}-{name}", media_type="application/octet-stream", headers=headers)

    app.add_api_route(PATH, file, methods=["GET"], include_in_schema=False)
