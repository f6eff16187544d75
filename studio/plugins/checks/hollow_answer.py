"""Answers that stand for no answer: n/a, nan, <no output>, three dots; null and none may be right answers."""

from __future__ import annotations

import re

from studio.plugins.checks import Case, Values, shown

ORDER = 50
SEVERITY = "warning"
FIX = ""
NEEDS = ""
_HOLLOW = re.compile(r"[\s<(\[]*(?:n/a|nan|tbd|no ?(?:output|answer|response|input)|no (?:output|answer|"
                     r"response) (?:needed|required|given|provided)|blank|\u7565|\u6682\u65e0|\u65e0\u5185\u5bb9|"
                     r"\u65e0\u56de\u7b54|\u7a7a)[\s>)\].\u3002]*|[.\u2026\u3002_-]+", re.I)
_LONGEST = 40


def see(case: Case) -> Values | None:
    """The words that say nothing."""
    for answer in case.answers:
        words = answer.strip()
        if 0 < len(words) <= _LONGEST and _HOLLOW.fullmatch(words):
            return {"text": shown(words)}
    return None
