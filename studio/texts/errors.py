"""The sentences of errors and problems in the user's language."""

from __future__ import annotations

from typing import Any

from studio.errors import Problem, SpecError, StudioError
from studio.texts.speak import has, listed, say

_YAML = {None: "null", True: "true", False: "false"}


def of_problem(lang: str, problem: Problem) -> str:
    """One sentence: what is wrong, the value, what is allowed, what to do."""
    key = f"arguments.{problem.field}.label"
    label = say(lang, key) if has(lang, key) else problem.field
    sentence = f"problems.{problem.code}"
    if not has(lang, sentence):  # what a value names was refused elsewhere: the same sentence, beside the field
        sentence = f"errors.{problem.code}"
    return say(lang, sentence, field=problem.field, label=label, **_shown(lang, problem.values))


def of_error(lang: str, error: StudioError) -> str:
    """The sentence of an error; all its problems, one a line, when it has several."""
    if isinstance(error, SpecError):
        return "\n".join(of_problem(lang, problem) for problem in error.problems)
    return say(lang, f"errors.{error.code}", **_shown(lang, error.values))


def _shown(lang: str, values: Any) -> dict[str, Any]:
    """Values as YAML spells them: no brackets, no endless texts; `field` is the caller's."""
    return {name: _short(lang, value) for name, value in values.items() if name not in ("field", "label")}


def _short(lang: str, value: Any) -> str:
    if isinstance(value, list | tuple):
        value = listed(lang, [str(item) for item in value])
    if value is None or isinstance(value, bool):
        return _YAML[value]
    if isinstance(value, str) and value.startswith("@") and has(lang, value[1:]):
        return say(lang, value[1:])  # a value that is itself a sentence, named by its key
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return text if len(text) <= 400 else text[:400] + " …"
