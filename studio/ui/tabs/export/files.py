"""A small route that gives an export: one of its files, all of them as one archive, or the picture of its card."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from studio.errors import StudioError
from studio.exports import shelf
from studio.exports.shelf import Exported
from studio.workspace import Workspace

_BLOCK = 1 << 20
_PICTURES = ("curves.svg", "curves_zh.svg")
_HEADERS = {"x-content-type-options": "nosniff", "cache-control": "no-store"}


def route(app: Any, workspace: Workspace) -> None:
    """Let `app` give what was exported; it stands behind the guard as everything else does."""
    from fastapi.responses import FileResponse, Response, StreamingResponse

    def archive(run: str) -> Any:
        one = _found(run, workspace)
        if one is None or not one.is_there:
            return Response(status_code=404)
        return StreamingResponse(zipped(one), media_type="application/zip", headers={
            **_HEADERS, "content-disposition": f'attachment; filename="{_ascii(one.name)}.zip"'})

    def file(run: str, name: str) -> Any:
        path = _file(_found(run, workspace), name)
        if path is None:
            return Response(status_code=404)
        return FileResponse(path, filename=path.name, media_type="application/octet-stream", headers=_HEADERS)

    def picture(run: str, name: str) -> Any:
        path = _file(_found(run, workspace), name) if name in _PICTURES else None
        if path is None:
            return Response(status_code=404)
        policy = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
        return FileResponse(path, media_type="image/svg+xml", headers={**_HEADERS, "content-security-policy": policy})

    for path, handler in (("/studio/export/{run}/archive", archive), ("/studio/export/{run}/file/{name:path}", file),
                          ("/studio/export/{run}/picture/{name}", picture)):
        app.add_api_route(path, handler, methods=["GET"], include_in_schema=False)


def zipped(one: Exported) -> Iterator[bytes]:
    """The bytes of an archive of the export, made while they are sent; nothing is written on the disk.

    Stored, not compressed: weights hardly get smaller.
    """
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:  # type: ignore[arg-type]
        for file in one.files:
            path = _file(one, str(file["name"]))
            if path is None:
                continue
            about = zipfile.ZipInfo.from_file(path, f"{one.name}/{file['name']}", strict_timestamps=False)
            with open(path, "rb") as inside, archive.open(about, "w", force_zip64=True) as out:
                while block := inside.read(_BLOCK):
                    out.write(block)
                    yield sink.taken()
            yield sink.taken()
    yield sink.taken()


class _Sink(io.RawIOBase):
    """What an archive is written into: kept until it is taken; it cannot go back."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def writable(self) -> bool:
        """It is there to be written into."""
        return True

    def write(self, data: Any) -> int:
        """Keep some bytes."""
        self._kept += data
        return len(data)

    def taken(self) -> bytes:
        """What was written since the last time."""
        found = bytes(self._kept)
        self._kept.clear()
        return found


def _found(run: str, workspace: Workspace) -> Exported | None:
    try:
        return shelf.find(run, workspace)
    except StudioError:
        return None


def _file(one: Exported | None, name: str) -> Path | None:
    """A file that the export itself has listed, in its own folder and no link out of it."""
    if one is None or one.path is None or name not in {str(file.get("name")) for file in one.files}:
        return None
    path = (one.path / name).resolve()
    return path if path.is_file() and path.is_relative_to(one.path.resolve()) else None


def _ascii(name: str) -> str:
    return "".join(letter if letter.isascii() and (letter.isalnum() or letter in "._-") else "-" for letter in name)
