"""What a report tells beside the scores: whose they are, with which settings, and how to get them again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.args import document
from studio.errors import StudioError
from studio.runs.files import RunFolder
from studio.scores import guard
from studio.scores.guard import Guard
from studio.scores.leaks import Leaks
from studio.specs.frozen import without_header
from studio.specs.works import EVALUATE


@dataclass(frozen=True)
class About:
    """The circumstances of an evaluation; `settings` are its arguments, `commands` do it again."""

    title: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    commands: Sequence[str] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    made: float = field(default_factory=time.time)
    leaks: Leaks | None = None
    guard: Guard | None = None
    judged: Sequence[Callable[[str], str]] = ()

    @property
    def day(self) -> str:
        """When it was made, to the minute."""
        return time.strftime("%Y-%m-%d %H:%M", time.localtime(self.made))


def of_run(path: Path, leaks: Leaks | None = None) -> About:
    """What a run's own spec.yaml says; of a run whose spec cannot be read, its name."""
    folder = RunFolder(path)
    try:
        spec = document.read(folder.spec)
    except StudioError:
        return About(folder.name, leaks=leaks, guard=guard.load(folder.results))
    from studio.scores.report import bench  # its words know what a report is about: this module

    packages = spec.get("packages")
    versions = {"fine-tuning-studio": str(spec.get("studio_version", "")),
                **(packages if isinstance(packages, dict) else {})}
    prints = spec.get("fingerprints")
    own = f"saves/{folder.name}/spec.yaml" if spec.get("stage") == EVALUATE else f"{folder.name} guard=true"
    return About(folder.name, without_header(spec), (f"python launch.py evaluate {own}",),
                 {str(name): str(value) for name, value in versions.items()},
                 prints if isinstance(prints, dict) else {}, leaks=leaks,
                 guard=guard.load(folder.results), judged=bench.told(folder.results))
