"""The fingerprint of a dataset: a hash of its files, remembered for as long as the disk says that nothing changed.

A file whose size, times and inode are those of the last time is not read again; any other is hashed anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from contextlib import suppress
from pathlib import Path

from studio.data.catalogue import Entry, sources_of

_SETTLED_SECONDS = 2.0  # a file written to again within the clock's grain would look the same


def fingerprint(entry: Entry, memory: Path | None = None) -> str:
    """The hash of a dataset's files; `memory` is a folder that remembers the hash of each file, if there may be one."""
    digest = hashlib.sha256()
    for path in paths(entry):
        digest.update(_remembered(path, memory) if memory else _hash(path))
    return digest.hexdigest()


def paths(entry: Entry) -> list[Path]:
    """The files of a dataset on the disk, an archive once for all its members."""
    return list(dict.fromkeys(source.path for source in sources_of(entry)))


def marks(entry: Entry) -> list[list[int]]:
    """What the disk says of each file: size, times and inode, which differ when somebody has written to it."""
    return [_mark(path) for path in paths(entry)]


def _mark(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino, stat.st_dev]


def _hash(path: Path) -> bytes:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()


def _remembered(path: Path, memory: Path) -> bytes:
    place = memory / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:32]}.json"
    mark = _mark(path)
    try:
        known = json.loads(place.read_text(encoding="utf-8"))
        if known["mark"] == mark:
            return bytes.fromhex(known["hash"])
    except (OSError, ValueError, LookupError, TypeError):
        pass  # nothing is remembered, or nothing that can be read
    found = _hash(path)
    if time.time() - max(path.stat().st_mtime, path.stat().st_ctime) > _SETTLED_SECONDS and _mark(path) == mark:
        with suppress(OSError):  # a cache that cannot be written costs a second reading, nothing else
            memory.mkdir(parents=True, exist_ok=True)
            aside = place.with_suffix(f".{os.getpid()}")
            aside.write_text(json.dumps({"path": str(path), "mark": mark, "hash": found.hex()}), encoding="utf-8")
            aside.replace(place)
    return found
