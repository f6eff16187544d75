"""The error tree: codes and values in code, sentences in `locales/` under `errors.<code>` and `problems.<code>`.

    StudioError                 anything the studio says no to, with a stable code and the values of its sentence
    ├── InputError              what the user gave is wrong: exit code 2
    │   └── SpecError           … in one or several arguments: carries every Problem at once
    └── WorkError               the arguments were right and the work failed: exit code 1
        └── StopAsked           the work ended because somebody asked it to
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Problem:
    """One thing that is wrong with one argument; its sentence is `problems.<code>` filled with `values`."""

    code: str
    field: str
    values: Mapping[str, Any] = dataclasses.field(default_factory=dict)


class StudioError(Exception):
    """An error with a stable `code` and the `values` that its sentence in `locales/` needs."""

    exit_code = 1

    def __init__(self, code: str, **values: Any) -> None:
        super().__init__(code, values)
        self.code = code
        self.values = values


class InputError(StudioError):
    """What the user gave is wrong; nothing was written."""

    exit_code = 2


class SpecError(InputError):
    """One or several arguments are wrong; every problem is here, in the order of the form."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("spec", count=len(problems))
        self.problems = tuple(problems)


class WorkError(StudioError):
    """The arguments were right and the work failed."""


class StopAsked(WorkError):
    """Somebody asked the work to stop and it did so in good order."""

    def __init__(self, phase: str = "") -> None:
        super().__init__("stopped", phase=phase)
