"""What the generators say, out of phrases.yaml; and what a seed cannot change."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

import yaml

Row = dict[str, str]
LANGUAGES = ("en", "zh")


@cache
def phrases() -> dict[str, Any]:
    """The whole of phrases.yaml."""
    return yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))


def row(instruction: str, output: str, given: str = "") -> Row:
    """One row in alpaca's columns."""
    return {"instruction": instruction, "input": given, "output": output}


def bucket(text: str, buckets: int) -> int:
    """A number below `buckets` that depends on the text alone: the same on every machine and Python."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % buckets
