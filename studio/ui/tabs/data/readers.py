"""How rows are read by a format that a person chooses, and the words for why a row is of no use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from studio.errors import InputError
from studio.plugins import kinds, plugin
from studio.plugins.formats import Unusable
from studio.sample import Sample
from studio.texts import has, say

Reading = Callable[[Any], Sample | str]


def by(name: str | None, columns: Mapping[str, str], tags: Mapping[str, str]) -> Reading:
    """The reading of a format with its columns; raises InputError dataset_formatting for a format that is none."""
    if name is None:
        return lambda row: "unrecognised" if isinstance(row, dict) else "not_an_object"
    if name not in kinds("formats"):
        raise InputError("dataset_formatting", name=name, value=name, kinds=", ".join(kinds("formats")))
    read = plugin("formats", name).reader(columns, tags)

    def understood(row: Any) -> Sample | str:
        try:
            return read(row)  # type: ignore[no-any-return]
        except Unusable as why:
            return why.reason

    return understood


def reason(lang: str, code: str) -> str:
    """Why a row is not used, in words."""
    key = f"data.skipped.{code}"
    return say(lang, key) if has(lang, key) else code
