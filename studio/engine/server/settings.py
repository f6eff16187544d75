"""What a server was asked to be: CONFIG.json of `python -m studio.engine serve`, its keys from the environment."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from studio.errors import InputError
from studio.workspace import Workspace

KEYS = "STUDIO_API_KEYS"


@dataclass(frozen=True)
class Settings:
    """How one server serves.

    `models` are served by name; with `is_open` whatever the workspace has is loaded when somebody asks for it.
    `attached` ends the server with its parent, whose end of our stdin closes then. `idle_minutes` 0 means never.
    """

    root: str = ""
    lang: str = "en"
    host: str = "127.0.0.1"
    port: int = 0
    models: tuple[str, ...] = ()
    template: str | None = None
    default_system: str | None = None
    quantization_bit: int | None = None
    compute_type: str = "auto"
    cpu_threads: int | None = None
    max_lanes: int = 32
    queue: int = 256
    context: int | None = None
    cache_bytes: int | None = None
    idle_minutes: float = 0.0
    is_open: bool = False
    attached: bool = False
    backend: str = "own"
    cors: tuple[str, ...] = ()
    ready_file: str | None = None
    trust: bool = False

    @property
    def workspace(self) -> Workspace:
        """Where runs and models are."""
        return Workspace.at(self.root or None)


def read(path: Path) -> Settings:
    """The settings in a file; what is null there is left at its default. Raises InputError file_unreadable."""
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError("file_unreadable", path=str(path), reason=str(error)) from error
    return of(said)


def of(said: Mapping[str, Any]) -> Settings:
    """The settings in a mapping, whose `open` is `is_open` here."""
    known = {one.name for one in fields(Settings)}
    values = {("is_open" if name == "open" else name): value for name, value in said.items() if value is not None}
    values = {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
              if name in known}
    return Settings(**values)


def keys() -> tuple[str, ...]:
    """The keys that open the server, taken out of the environment so that no child inherits them."""
    return tuple(line.strip() for line in os.environ.pop(KEYS, "").splitlines() if line.strip())
