"""Control signs and letters of no width, which nobody sees and every tokenizer spends tokens on."""

from __future__ import annotations

import re

from studio.plugins.checks import Case, Values

ORDER = 56
SEVERITY = "note"
FIX = "mend"
NEEDS = ""
# Joiners stay: emoji and several scripts need them.
_SIGNS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u00ad\u200b\u2060\ufeff]")


def see(case: Case) -> Values | None:
    """Which sign it is."""
    match = _SIGNS.search(case.text)
    return {"text": f"U+{ord(match[0]):04X}"} if match else None


def mend(text: str) -> str:
    """The text without them."""
    return _SIGNS.sub("", text)
