"""What a form that holds another asks of it, so that the holder need only say which one that is."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType
from typing import Any

from studio.errors import Problem, WorkError

EVERY_KIND = ("whole", "lora", "prefix")


def write(inner: ModuleType, work: Any) -> None:
    """Write the form that is held into the very folder of its holder; raises what its `needs` and `write` raise."""
    if hasattr(inner, "needs"):
        inner.needs()
    inner.write(work)


def refuse(inner: ModuleType, source: Any, spec: Any) -> list[Problem]:
    """What the form that is held cannot be made of."""
    return list(inner.refuse(source, spec)) if hasattr(inner, "refuse") else []


def memory(inner: ModuleType, source: Any, spec: Any) -> int:
    """Bytes of memory that the form that is held takes."""
    return int(inner.memory(source, spec)) if hasattr(inner, "memory") else 0


def opened(inner: ModuleType, folder: Path) -> Path:
    """What of a folder the program opens that the form that is held is for."""
    return Path(inner.opened(folder)) if hasattr(inner, "opened") else folder


def commands(inner: ModuleType, work: Any) -> dict[str, list[str]]:
    """The lines that run the form that is held."""
    return dict(inner.commands(work)) if hasattr(inner, "commands") else {}


def named(text: str) -> str:
    """A name of a source as a file or a program may bear it: letters, digits, dots and dashes."""
    last = text.rstrip("/").rsplit("/", 1)[-1] if text.startswith(("/", ".", "~")) else text
    return re.sub(r"[^A-Za-z0-9._]+", "-", last).strip("-.") or "model"


def room(folder: Path, needed: int) -> None:
    """Raises WorkError disk_short when a disk has less than `needed` bytes free."""
    import shutil

    from studio.exports.place import sized

    free = shutil.disk_usage(folder).free
    if free < needed:
        raise WorkError("disk_short", path=str(folder), needed=sized(needed), free=sized(free))

