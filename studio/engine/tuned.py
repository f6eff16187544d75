"""Tuned: a model, what moves in it, and how that is written and read; every tuner's `attach` makes one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Tuned:
    """`moving` are the trained weights (float32) by name; `save` and `load` write and read them for a checkpoint.

    `exact` is False where `save` rounds them to fewer bits.
    """

    model: Any
    moving: dict[str, Any]
    save: Callable[[Path], None]
    load: Callable[[Path], None]
    prefix: Any = None
    exact: bool = True

    @property
    def count(self) -> int:
        """How many numbers move."""
        return sum(p.numel() for p in {id(p): p for p in self.moving.values()}.values())
