"""Sets of data to take along: the file of a set by its name, as an attachment; nothing else is served here."""

from __future__ import annotations

from typing import Any

from studio.data.catalogue import Catalogue
from studio.errors import StudioError
from studio.workspace import Workspace

PATH = "/studio/download/{name:path}"


def route(app: Any, workspace: Workspace) -> None:
    """Let `app` serve the files of sets; it stands behind the guard as everything else does."""
    from fastapi.responses import FileResponse, Response

    def file(name: str) -> Any:
        try:
            path = Catalogue(workspace).entry(name).path
        except StudioError:
            path = None
        if path is None or not path.is_file():
            return Response(status_code=404)
        return FileResponse(
            path,
            filename=path.name,
            media_type="application/octet-stream",
            headers={"x-content-type-options": "nosniff", "cache-control": "no-store"},
        )

    app.add_api_route(PATH, file, methods=["GET"], include_in_schema=False)
