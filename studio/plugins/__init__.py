"""Everything that comes in kinds, one file a kind: a file put into a room is found, no registry is edited."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache
from pathlib import Path
from types import ModuleType

HERE = Path(__file__).parent


@cache
def kinds(room: str) -> tuple[str, ...]:
    """The names of the plug-ins in a room (`methods`, `tuners`, …), in the order of their ORDER, then by name."""
    names = [found.name for found in pkgutil.iter_modules([str(HERE / room)]) if not found.name.startswith("_")]
    return tuple(sorted(names, key=lambda name: (getattr(plugin(room, name), "ORDER", 100), name)))


@cache
def plugin(room: str, name: str) -> ModuleType:
    """The module of one plug-in; importing it imports neither torch nor gradio."""
    return importlib.import_module(f"studio.plugins.{room}.{name}")
