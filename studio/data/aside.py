"""Folders that are made aside and come into being in one instant, whole or not at all."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from studio.errors import WorkError

MAKING = ".making-"
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NEWBORN_SECONDS = 10.0


@contextmanager
def aside(room: Path, code: str = "disk_refuses") -> Iterator[Path]:
    """A new hidden folder in `room`, to be filled and renamed; what is left of it at the end is deleted.

    It is held by a lock as long as the process lives, and what dead processes left in `room` is cleared away.
    Raises WorkError disk_full or `code` for whatever the disk refuses, within the block too.
    """
    try:
        room.mkdir(parents=True, exist_ok=True)
        clear_abandoned(room)
        folder = Path(tempfile.mkdtemp(prefix=MAKING, dir=room))
    except OSError as error:
        raise refused(room, error, code) from error
    handle = -1
    try:
        handle = os.open(folder, os.O_RDONLY)
        with suppress(OSError):  # a file system without locks: then nobody clears it away either
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield folder
    except OSError as error:
        raise refused(room, error, code) from error
    finally:
        if handle >= 0:
            os.close(handle)
        shutil.rmtree(folder, ignore_errors=True)


def clear_abandoned(room: Path) -> None:
    """Delete what processes that are no more have left half-made; a newborn may not have its lock yet."""
    for path in room.glob(f"{MAKING}*"):
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


def settle(path: Path) -> None:
    """Have the disk keep what is in a file or folder, names too."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def refused(path: Path, error: OSError, code: str = "disk_refuses") -> WorkError:
    """What the disk refused, as an error with its sentence: disk_full or `code`."""
    if error.errno in FULL:
        return WorkError("disk_full", path=str(path))
    return WorkError(code, path=str(path), reason=error.strerror or str(error))
