"""Tokenised datasets kept on disk: a folder a key, with the rows as tokens.py writes them and `about.json`.

A key's folder is made aside and renamed into place when it is whole, so that two processes that prepare the same
rows at once never disturb each other. Everything here may be deleted at any time; what a process that was killed has
left half-made is cleared away by the next that makes something.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from studio.data.counts import Counts
from studio.errors import WorkError

if TYPE_CHECKING:
    from studio.data.tokens import RowWriter, Stored

MOST_KEPT = 40
MAKING = ".making-"
_NEWBORN_SECONDS = 10.0
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
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
    with tempfile.TemporaryDirectory(prefix="studio-tokens-") as aside:
        return _filled(Path(aside), fill)


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
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        _clear_abandoned(kept.parent)
        aside = Path(tempfile.mkdtemp(prefix=MAKING, dir=kept.parent))
        hold = _held(aside)
    except OSError as error:
        raise _refused(kept.parent, error) from error
    try:
        made = _filled(aside, fill)
        if read(kept) is None:
            shutil.rmtree(kept, ignore_errors=True)
        try:
            aside.rename(kept)
        except OSError:
            if read(kept) is None:  # otherwise another process was first, with the same rows
                raise
        if not keeps_all:
            _prune(kept.parent)
        return made
    except OSError as error:
        raise _refused(kept.parent, error) from error
    finally:
        os.close(hold)
        shutil.rmtree(aside, ignore_errors=True)


def _held(aside: Path) -> int:
    """A lock on a folder in the making, which lasts as long as the process."""
    handle = os.open(aside, os.O_RDONLY)
    with suppress(OSError):  # a file system without locks: then nobody clears it away either
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return handle


def _clear_abandoned(folder: Path) -> None:
    """Delete what processes that are no more have left half-made; a newborn may not have its lock yet."""
    for path in folder.glob(f"{MAKING}*"):
        try:
            if time.time() - path.stat().st_mtime < _NEWBORN_SECONDS:
                continue
            handle = os.open(path, os.O_RDONLY)
        except OSError:
            continue  # another process was first
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            continue  # its maker lives
        finally:
            os.close(handle)


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


def _refused(folder: Path, error: OSError) -> WorkError:
    if error.errno in FULL:
        return WorkError("disk_full", path=str(folder))
    return WorkError("cache_not_writable", path=str(folder), reason=error.strerror or str(error))


def _prune(folder: Path) -> None:
    """Let go of the entries unused for longest; a row already mapped stays readable."""
    entries = [path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")]
    entries.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for path in entries[MOST_KEPT:]:
        shutil.rmtree(path, ignore_errors=True)
