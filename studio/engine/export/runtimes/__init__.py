"""Programs that open what was exported, one file a program; an acceptance test asks all of them the same.

A runtime's module has `open(task) -> Runtime`; what it needs is imported inside that, so that a program that is not
installed is an ImportError there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np


class Refused(Exception):
    """A program does not open a model; the text is the reason that it gave."""


@dataclass(frozen=True)
class Task:
    """What one child replays, as its CONFIG.json has it.

    `opens` is a model's folder, an adapter's or a file; `base` the model that an adapter belongs to. Of the source,
    `parts` are the adapters {folder, kind, weight} on it and `ends` the ids that end its answers.
    """

    runtime: str
    opens: Path
    rows: Path
    into: Path
    base: Path | None = None
    parts: tuple[Mapping[str, Any], ...] | None = None
    ends: tuple[int, ...] = ()
    dtype: str = "fp32"
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Task:
        """The task of a configuration."""
        parts = said.get("parts")
        return cls(str(said["runtime"]), Path(said["opens"]), Path(said["rows"]), Path(said["into"]),
                   Path(said["base"]) if said.get("base") else None, None if parts is None else tuple(parts),
                   tuple(said.get("ends") or ()), str(said.get("dtype") or "fp32"), dict(said.get("options") or {}))


class Runtime(Protocol):
    """A model that was opened, asked row by row; a row is `exports.rows.Row` as JSON has it."""

    vocabulary: int
    ends: tuple[int, ...]

    def spell(self, row: Mapping[str, Any]) -> tuple[str | None, list[int]]:
        """The row's prompt as this program itself spells it: the text, None without a template, and the ids."""

    def logits(self, ids: Sequence[int], asked: Sequence[int]) -> np.ndarray | None:
        """The logits `(len(asked), vocabulary)` float32 that tell the ids at these places; None: not told."""

    def answer(self, ids: Sequence[int], most: int) -> tuple[list[int], bool]:
        """The likeliest answer behind these ids, without its end token, and whether it came to an end."""

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids."""


def opened(task: Task) -> Runtime:
    """The program of a task with the model in it; raises ImportError when it is not installed, Refused."""
    found: Runtime = import_module(f"{__name__}.{task.runtime}").open(task)
    return found
