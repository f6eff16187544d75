"""Reading: everything but the rows that decides which tokens a dataset becomes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class Reading:
    """What training takes from a run's spec, and the data verbs from their flags; the names are the arguments'.

    `learns` is the kind of sample that is wanted ("chat", "preference"); None takes what the first rows are.
    """

    learns: str | None = None
    template: str = "own"
    default_system: str | None = None
    cutoff_len: int = 1024
    train_on_prompt: bool = False
    mask_history: bool = False
    max_samples: int | None = None
    tokenized_path: str | None = None

    @classmethod
    def of(cls, spec: Any) -> Reading:
        """The reading that a run's spec asks for."""
        from studio.plugins import plugin

        named = {one.name: getattr(spec, one.name) for one in fields(cls) if one.name != "learns"}
        return cls(learns=plugin("methods", spec.stage).LAYOUT, **named)
