"""White space around an answer, which the model would learn to write."""

from __future__ import annotations

from studio.plugins.checks import Case, Values, shown

ORDER = 95
SEVERITY = "note"
FIX = "mend"
NEEDS = ""


def see(case: Case) -> Values | None:
    """The answer that has some."""
    for answer in case.answers:
        if mend(answer) != answer:
            return {"text": shown(answer)}
    return None


def mend(text: str) -> str:
    """The text without it; the first line keeps an indent that the next has too, as code does."""
    cut = text.rstrip().lstrip("\r\n")
    lines = cut.split("\n", 2)
    indented = cut[:1] in " \t" and len(lines) > 1 and lines[1][:1] in " \t"
    return cut if indented else cut.lstrip()
