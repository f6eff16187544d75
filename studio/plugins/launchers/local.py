"""One process on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ORDER = 10


def command(spec: Any, run_folder: Path, python: str) -> list[str]:
    """The command line of the engine for this run."""
    return [python, "-m", "studio.engine", "train", str(run_folder)]
