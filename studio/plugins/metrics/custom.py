"""A user's own metric: the function `score` of a file in data/metrics, run only once its text has been confirmed.

    def score(answer, reference, row):
        return 1.0 if answer.startswith(reference) else 0.0

It runs with all rights of the studio. So it is shown first (`look`), and it runs only while the file's hash is the one
that was confirmed with `custom_hash`.
"""

from __future__ import annotations

import hashlib
import math
import re
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.args.fields import Group, Text, arg
from studio.errors import InputError, WorkError
from studio.plugins.metrics import NONE, ROOT, Row, option
from studio.workspace import Workspace

ORDER = 90
NEEDS: tuple[str, ...] = ()
SHARE = False
HIGHER = True
SCALE = 1

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


class Arguments(Group):
    """Which file it is, and that it was read."""

    group = "metrics"

    custom_function: Text | None = arg(None)
    custom_hash: Text | None = arg(None)


@dataclass(frozen=True)
class Source:
    """A user's file as it is to be shown."""

    name: str
    path: Path
    text: str
    hash: str


def offered(workspace: Workspace) -> tuple[str, ...]:
    """The names of the files in data/metrics."""
    found = (path.stem for path in (workspace.data / "metrics").glob("*.py"))
    return tuple(sorted(name for name in found if NAME.fullmatch(name)))


def look(name: str, workspace: Workspace) -> Source:
    """The file and its hash; raises InputError custom_metric_missing."""
    folder = workspace.data / "metrics"
    path = (folder / f"{name}.py").resolve()
    if not NAME.fullmatch(name) or path.parent != folder.resolve() or not path.is_file():
        raise InputError("custom_metric_missing", name=name, folder=str(folder), known=list(offered(workspace)))
    read = path.read_bytes()
    return Source(name, path, read.decode("utf-8", "replace"), hashlib.sha256(read).hexdigest())


def check(options: Mapping[str, Any] = NONE) -> None:
    """Raise InputError where no file is named, it is not there, or this text of it was not confirmed."""
    _confirmed(options)


def _confirmed(options: Mapping[str, Any]) -> Source:
    name, workspace = option(options, Arguments, "custom_function"), _workspace(options)
    if not name:
        raise InputError("custom_metric_unnamed", known=list(offered(workspace)))
    source = look(name, workspace)
    if option(options, Arguments, "custom_hash") != source.hash:
        raise InputError("custom_metric_unconfirmed", name=name, path=str(source.path), hash=source.hash)
    return source


def _workspace(options: Mapping[str, Any]) -> Workspace:
    """The workspace of the call; where none is said, that of the process."""
    return Workspace.at(options.get(ROOT))


def score(answer: str, reference: str, row: Row) -> float | None:
    """What the user's function returns, None too; raises WorkError where it fails or returns no number."""
    source = _kept(option(row.options, Arguments, "custom_function") or "",
                   option(row.options, Arguments, "custom_hash") or "", str(_workspace(row.options).root))
    function = _function(source)
    try:
        value = function(answer, reference, row)
    except Exception as error:
        raise _failed(source, error) from error
    if value is None:
        return None
    if not isinstance(value, int | float) or not math.isfinite(value):
        raise WorkError("custom_metric_value", name=source.name, value=repr(value)[:80])
    return float(value)


@lru_cache(maxsize=8)
def _kept(name: str, confirmed: str, root: str) -> Source:
    return _confirmed({"custom_function": name, "custom_hash": confirmed, ROOT: root})


@lru_cache(maxsize=8)
def _function(source: Source) -> Callable[[str, str, Row], Any]:
    """The function `score` of the text that was confirmed; the file itself is not read again."""
    space: dict[str, Any] = {"__name__": f"custom_metric_{source.name}", "__file__": str(source.path)}
    try:
        exec(compile(source.text, str(source.path), "exec"), space)
    except Exception as error:
        raise _failed(source, error) from error
    if not callable(space.get("score")):
        raise WorkError("custom_metric_without_score", name=source.name)
    return space["score"]


def _failed(source: Source, error: Exception) -> WorkError:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__)
             if frame.filename == str(source.path)]
    line = getattr(error, "lineno", None) or (lines[-1] if lines else 0)
    return WorkError("custom_metric_failed", name=source.name, line=line, reason=f"{type(error).__name__}: {error}")
