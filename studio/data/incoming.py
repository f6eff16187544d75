"""Files on their way into the data folder: taken from where an upload left them, kept aside until they are named."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from studio.errors import InputError, WorkError
from studio.workspace import Workspace

MOST_BYTES = 4_000_000_000
ASIDE = ".incoming"
UPLOADS = "uploads"
_KEPT_SECONDS = 2 * 24 * 3600
_STRANGE = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]+')
_LONGEST = 120


def uploads(workspace: Workspace) -> Path:
    """Where the page's uploads arrive; the only place that files are taken from."""
    return workspace.cache / UPLOADS


def take(workspace: Workspace, files: Sequence[tuple[Path, str]]) -> Path:
    """Uploaded files, each with the name that it had, moved below data/; the path of the one file or of their folder.

    Raises InputError upload_foreign for a path that is no upload, upload_too_large, upload_none, and WorkError
    disk_refuses.
    """
    if not files:
        raise InputError("upload_none")
    room = uploads(workspace).resolve()
    found = [(path.resolve(), file_name(name)) for path, name in files]
    for path, name in found:
        if not path.is_relative_to(room) or not path.is_file():
            raise InputError("upload_foreign", name=name)
    size = sum(path.stat().st_size for path, _ in found)
    if size > MOST_BYTES:
        raise InputError("upload_too_large", size=size, most=MOST_BYTES, folder=str(workspace.data))
    try:
        folder = _aside(workspace)
        for path, name in found:
            shutil.move(path, _free(folder / name))
    except OSError as error:
        raise WorkError("disk_refuses", path=str(workspace.data), reason=error.strerror or str(error)) from error
    return folder / found[0][1] if len(found) == 1 else folder


def within(workspace: Workspace, said: str) -> Path:
    """A file or folder below the data folder, as a person writes it: absolute, or from the data folder or the root.

    Raises InputError file_missing, or path_outside for one that lies elsewhere.
    """
    path = Path(said).expanduser()
    tried = [path] if path.is_absolute() else [workspace.data / path, workspace.root / path]
    found = next((one.resolve() for one in tried if one.exists()), None)
    if found is None:
        raise InputError("file_missing", path=said)
    if not found.is_relative_to(workspace.data.resolve()) or found == workspace.data.resolve():
        raise InputError("path_outside", path=said, folder=str(workspace.data))
    return found


def settle(workspace: Workspace, path: Path, name: str) -> str:
    """Give what was taken its place in the data folder; the `file_name` for the catalogue.

    What lies below data/ already stays where it is. Raises WorkError disk_refuses.
    """
    path = path.resolve()
    aside = (workspace.data / ASIDE).resolve()
    if not path.is_relative_to(aside):
        return path.relative_to(workspace.data.resolve()).as_posix()
    wanted = workspace.data / (file_name(name) + ("".join(path.suffixes[-2:]) if path.is_file() else ""))
    try:
        home = _free(wanted)
        os.replace(path, home)
        leave(workspace, path)
    except OSError as error:
        raise WorkError("disk_refuses", path=str(wanted), reason=error.strerror or str(error)) from error
    return home.name


def leave(workspace: Workspace, path: Path) -> None:
    """Drop what was taken and is not wanted; what lies elsewhere is not touched."""
    aside = (workspace.data / ASIDE).resolve()
    resolved = path.resolve()
    if resolved.is_relative_to(aside) and resolved != aside:
        shutil.rmtree(aside / resolved.relative_to(aside).parts[0], ignore_errors=True)


def file_name(name: str) -> str:
    """A name as a file can have it: no path, no sign that some system refuses, not hidden, not endless."""
    plain = _STRANGE.sub("_", name.replace("\\", "/").rsplit("/", 1)[-1]).strip(" .")
    stem, dot, end = plain.rpartition(".")
    return (f"{stem[:_LONGEST]}{dot}{end[:16]}" if stem else plain[:_LONGEST]) or "data"


def _aside(workspace: Workspace) -> Path:
    """A fresh folder for what has just arrived; what others left there for days is cleared away."""
    room = workspace.data / ASIDE
    room.mkdir(parents=True, exist_ok=True)
    for old in room.iterdir():
        if time.time() - old.stat().st_mtime > _KEPT_SECONDS:
            shutil.rmtree(old, ignore_errors=True)
    folder = room / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    folder.mkdir()
    return folder


def _free(path: Path) -> Path:
    """The path, or the first like it with a number that nothing has."""
    ends = "".join(path.suffixes[-2:]) if not path.is_dir() else ""
    stem = path.name.removesuffix(ends)
    found, number = path, 2
    while found.exists():
        found, number = path.with_name(f"{stem}-{number}{ends}"), number + 1
    return found
