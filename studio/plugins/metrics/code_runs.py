"""Code runs: the answer's Python runs to its end, and the reference's assertions hold. In a sandbox, and only if asked.

What the sandbox is made of on this machine is said by `isolation`; see `_sandbox.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from studio.args.fields import Group, arg
from studio.errors import InputError
from studio.plugins.metrics import NONE, Row, _sandbox, option
from studio.plugins.metrics._sandbox import Isolation
from studio.texts import say

ORDER = 70
NEEDS: tuple[str, ...] = ()
SHARE = True
HIGHER = True
SCALE = 100

_FENCED = re.compile(r"```[ \t]{0,8}(?:python|py)?[0-9.]{0,4}[ \t]{0,8}\n(.*?)(?:```|\Z)", re.S | re.I)
_ASSERTS = re.compile(r"^\s*assert\b", re.M)


class Arguments(Group):
    """Whether answers may run at all, and how far."""

    group = "metrics"

    code_runs_allowed: bool = arg(False)
    code_runs_seconds: float = arg(5.0, gt=0, le=600)
    code_runs_memory_mb: int = arg(1024, ge=128, le=65_536)


def isolation() -> Isolation:
    """What keeps the code apart on this machine."""
    return _sandbox.isolation()


def isolated(lang: str) -> str:
    """What keeps the code apart on this machine, in a sentence for network and one for files."""
    found = isolation()
    return " ".join((say(lang, f"metrics.code_runs.network_{found.network}"),
                     say(lang, f"metrics.code_runs.files_{found.files}")))


def check(options: Mapping[str, Any] = NONE) -> None:
    """Raise InputError where running code was not allowed, or cannot be kept apart on this machine."""
    if not option(options, Arguments, "code_runs_allowed"):
        raise InputError("code_runs_not_allowed")
    if not isolation().possible:
        raise InputError("code_runs_impossible")


def score(answer: str, reference: str, row: Row) -> float | None:
    """1 for code that runs to its end in time; None where running was not allowed or cannot be kept apart."""
    if not option(row.options, Arguments, "code_runs_allowed") or not isolation().possible:
        return None
    code = code_of(answer)
    if not code.strip():
        return 0.0
    tests = code_of(reference) if _ASSERTS.search(reference) else ""
    return float(_sandbox.runs([code, tests], option(row.options, Arguments, "code_runs_seconds"),
                               option(row.options, Arguments, "code_runs_memory_mb")))


def code_of(text: str) -> str:
    """The fenced Python of a text, one block after the other; the whole text where nothing is fenced."""
    fenced = _FENCED.findall(text)
    return "\n".join(fenced) if fenced else text
