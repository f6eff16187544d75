"""One process on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

ORDER = 10


def command(spec: Any, run_folder: Path, python: str) -> list[str]:
    """The command line of the engine for this run."""
    verb = "evaluate" if spec.stage == "evaluate" else "train"
    return [python, "-m", "studio.engine", verb, str(run_folder)]
