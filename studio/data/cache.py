"""Tokenised datasets kept on disk: a folder a key, with the rows as tokens.py writes them and `about.json`.

A key's folder is made aside and renamed into place when it is whole, so that two processes that prepare the same
rows at once never disturb each other. Everything here may be deleted at any time; what a process that was killed has
left half-made is cleared away by the next that makes something.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from studio.data.aside import aside
from studio.data.counts import Counts

if TYPE_CHECKING:
    from studio.data.tokens import RowWriter, Stored

MOST_KEPT = 40
ABOUT = "about.json"
Fill = Callable[["RowWriter"], Counts]


@dataclass(frozen=True)
class Kept:
    """Tokenised rows in a folder, and what became of the rows that were read."""

    folder: Path
    counts: Counts

    @cached_property
    def rows(self) -> Stored:
        """The rows, mapped when they are asked for; they outlive the folder's name."""
        from studio.data.tokens import Stored

        return Stored(self.folder)


def tokens(kept: Path, fill: Fill, write_cache: bool, keeps_all: bool = False) -> Kept:
    """The rows and counts kept in the folder `kept`, or made by `fill`; old folders beside it go unless `keeps_all`.

    Raises WorkError cache_not_writable or disk_full; whatever `fill` raises leaves nothing behind.
    """
    found = read(kept)
    if found is not None:
        return found
    if write_cache:
        return _make(kept, fill, keeps_all)
    with tempfile.TemporaryDirectory(prefix="studio-tokens-") as passing:
        return _filled(Path(passing), fill)


def read(kept: Path) -> Kept | None:
    """What was kept; None when there is nothing or it is damaged."""
    try:
        about = json.loads((kept / ABOUT).read_text(encoding="utf-8"))
        if any((kept / name).stat().st_size != size for name, size in about["files"].items()):
            return None
        found = Kept(kept, Counts.of_plain(about["counts"]))
    except (OSError, ValueError, TypeError, LookupError, AttributeError):
        return None
    _touch(kept)
    return found


def _touch(kept: Path) -> None:
    """Remember that the entry was used; a cache that may only be read is no reason to fail."""
    if os.access(kept, os.W_OK):
        os.utime(kept)


def _make(kept: Path, fill: Fill, keeps_all: bool) -> Kept:
    with aside(kept.parent, "cache_not_writable") as making:
        made = _filled(making, fill)
        if read(kept) is None:
            shutil.rmtree(kept, ignore_errors=True)
        try:
            making.rename(kept)
        except OSError:
            if read(kept) is None:  # otherwise another process was first, with the same rows
                raise
        if not keeps_all:
            _prune(kept.parent)
        return made


def _filled(folder: Path, fill: Fill) -> Kept:
    """What `fill` writes into a folder that will have another name, or none, when the rows are read."""
    from studio.data.tokens import RowWriter

    writer = RowWriter(folder)
    try:
        counts = fill(writer)
    finally:
        writer.close()
    sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
    (folder / ABOUT).write_text(json.dumps({"counts": counts.plain(), "files": sizes}), encoding="utf-8")
    made = Kept(folder, counts)
    len(made.rows)  # maps them while the folder still has its name
    return made


def _prune(folder: Path) -> None:
    """Let go of the entries unused for longest; a row already mapped stays readable."""
    entries = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in entries[MOST_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
