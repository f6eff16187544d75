"""What a form says of a source before anything is made: its size, why it cannot be; asked once, then remembered.

A large vocabulary takes a form a second to look through, and a page asks ten forms at every press.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from studio.errors import Problem, StudioError
from studio.exports.source import Source
from studio.plugins import exporters
from studio.specs import export

_MOST = 600
_known: OrderedDict[Any, Any] = OrderedDict()
_guard = threading.Lock()


def size(source: Source, spec: Any) -> int | None:
    """Bytes of the result; None where the form cannot say."""
    def asked() -> int | None:
        try:
            return int(exporters.exporter(spec.export_to).size(source, spec))
        except (StudioError, OSError, LookupError, ValueError):
            return None
    found: int | None = _once(("size", *_key(source, spec)), asked)
    return found


def refusals(module: Any, source: Source, spec: Any) -> tuple[Problem, ...]:
    """What stands against the form, quick to be told; raises nothing."""
    def asked() -> tuple[Problem, ...]:
        try:
            return tuple(module.refuse(source, spec)) if hasattr(module, "refuse") else ()
        except StudioError as error:
            return (Problem(error.code, "export_to", error.values),)
    found: tuple[Problem, ...] = _once(("refusals", module.__name__, *_key(source, spec)), asked)
    return found


def sizes(form: str, source: Source | None) -> Mapping[str, Mapping[str, int]]:
    """{argument: {value: bytes}} of a form that tells sizes before one is chosen."""
    module = exporters.exporter(form)
    if source is None or not hasattr(module, "sizes"):
        return {}

    def asked() -> Mapping[str, Mapping[str, int]]:
        try:
            return dict(module.sizes(source))
        except (StudioError, OSError, LookupError, ValueError):
            return {}
    found: Mapping[str, Mapping[str, int]] = _once(("sizes", form, *_of(source)), asked)
    return found


def _key(source: Source, spec: Any) -> tuple[Any, ...]:
    return (*_of(source), repr(export.document(spec)))


def _of(source: Source) -> tuple[Any, ...]:
    """The source as it is on the disk just now."""
    folders = [source.base, *(part.folder for part in source.parts)]
    weights = [part.weight for part in source.parts]
    return (tuple(map(_stamp, folders)), repr(weights), source.template, source.default_system, source.kind)


def _stamp(folder: Path) -> tuple[Any, ...]:
    try:
        return tuple(sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in folder.iterdir()))
    except OSError:
        return (str(folder),)


def _once(key: Any, ask: Callable[[], Any]) -> Any:
    with _guard:
        if key in _known:
            _known.move_to_end(key)
            return _known[key]
    found = ask()
    with _guard:
        _known[key] = found
        while len(_known) > _MOST:
            _known.popitem(last=False)
    return found
