"""Records: small JSON files that are replaced in one instant and read with tolerance."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def write_atomically(path: Path, text: str) -> None:
    """Replace a file in one instant: a reader sees the old text or the new one, never a half."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(aside, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write JSON atomically, Chinese as Chinese."""
    write_atomically(path, json.dumps(value, ensure_ascii=False, indent=1))


def read_json(path: Path) -> dict[str, Any] | None:
    """The mapping in a JSON file; None when it is missing, half-written or no mapping."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None
