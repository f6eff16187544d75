"""Preferences whose two answers are the same."""

from __future__ import annotations

from studio.plugins.checks import Case, Values, shown
from studio.sample import Message

ORDER = 40
SEVERITY = "error"
FIX = "drop"
HARMLESS = True
NEEDS = ""


def see(case: Case) -> Values | None:
    """The answer that is both better and worse."""
    rejected = case.sample.rejected
    if not rejected:
        return None
    chosen = case.sample.messages[-len(rejected):]
    same = [_said(one) for one in chosen] == [_said(one) for one in rejected]
    return {"text": shown(case.answer)} if same else None


def _said(message: Message) -> tuple[str, str, str]:
    return message.role, message.content.strip(), repr(message.tool_calls)
