"""Conversations whose last turn is a question; it is left off, since there is no answer to learn."""

from __future__ import annotations

from typing import Any

from studio.plugins.checks import Case, Values, shown

ORDER = 45
SEVERITY = "note"
FIX = ""
NEEDS = ""
_ASKERS = ("user", "human", "prompter")


def see(case: Case) -> Values | None:
    """The question that nobody answers."""
    if not isinstance(case.row, dict) or case.sample.rejected:
        return None
    for turns in case.row.values():
        if isinstance(turns, list) and turns and isinstance(turns[-1], dict):
            last: dict[str, Any] = turns[-1]
            if last.get("from", last.get("role")) in _ASKERS:
                return {"text": shown(str(last.get("value", last.get("content", ""))))}
    return None
