"""Keys and passwords that open something: a model that learned them tells them to anyone."""

from __future__ import annotations

import re

from studio.plugins.checks import Case, Values

ORDER = 1
SEVERITY = "error"
FIX = "drop"
NEEDS = ""

# How the great services spell their keys, as their documentation says.
_KEYS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----|"
    r"\b(?:sk-(?:proj-|ant-|or-)?[A-Za-z0-9_-]{20,}|(?:AKIA|ASIA)[0-9A-Z]{16}|LTAI[A-Za-z0-9]{16,20}|AKID[A-Za-z0-9]{32}|"
    r"gh[opsur]_[A-Za-z0-9]{36}|github_pat_[A-Za-z0-9_]{50,}|glpat-[A-Za-z0-9_-]{20}|hf_[A-Za-z0-9]{30,}|"
    r"xox[abprs]-[A-Za-z0-9-]{10,}|AIza[A-Za-z0-9_-]{35}|npm_[A-Za-z0-9]{36}|"
    r"sk_live_[A-Za-z0-9]{20,}|SG\.[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}|"
    r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,})")
_MARKS = ("-----BEGIN", "sk-", "AKI", "ASIA", "LTAI", "gh", "glpat-", "hf_", "xox", "AIza", "npm_", "sk_live_", "SG.",
          "eyJ")
_SHOWN = 6
_LEAST_KINDS = 8  # different characters; xxxxxxxx and 12341234 are examples, not keys


def see(case: Case) -> Values | None:
    """The kind of key, its middle hidden."""
    text = case.text
    if not any(mark in text for mark in _MARKS):
        return None
    for match in _KEYS.finditer(text):
        if len(set(match[0][_SHOWN:])) >= _LEAST_KINDS:
            return {"text": f"{match[0][:_SHOWN]}…"}
    return None
