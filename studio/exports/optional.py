"""Optional parts as command line and page speak of them: what there is, and the lines while one is installed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from studio.errors import InputError, WorkError
from studio.prepare import parts
from studio.prepare.progress import Step, clock
from studio.prepare.refusal import Refusal
from studio.texts import say


@dataclass(frozen=True)
class Optional:
    """A part that may be installed; its words are `parts.<name>.label` and `.help`.

    `versions` are those that are here, by package; `builds` tells that it is compiled on this machine.
    """

    name: str
    pins: tuple[str, ...]
    megabytes: int
    builds: bool
    installed: bool
    versions: dict[str, str]


def listed() -> list[Optional]:
    """Every part, as it stands in this environment."""
    return [Optional(one.name, one.pins, one.megabytes, one.builds, parts.is_installed(one.name),
                     parts.versions(one.name)) for one in parts.PARTS]


def install(name: str, tell: Callable[[Step], None], wheels: str = "") -> None:
    """Install a part; `tell` hears what is being done, for `line`. It blocks until pip has ended.

    Raises InputError part_unknown, WorkError part_… with the reason.
    """
    if name not in (one.name for one in parts.PARTS):
        raise InputError("part_unknown", value=name, known=[one.name for one in parts.PARTS])
    try:
        parts.install(name, tell, wheels)
    except Refusal as refusal:
        raise WorkError(f"part_{refusal.key}", part=name, **refusal.values) from None


def line(lang: str, step: Step, began: float) -> str:
    """What is being done and for how long, in words; `began` is of the monotonic clock."""
    said = say(lang, f"parts.steps.{step.key}", package=step.package, size=step.size, done=step.done, total=step.total)
    return f"{' '.join(said.split())} · {clock(time.monotonic() - began)}"
