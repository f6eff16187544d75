"""The edits that take problems away: rows left out, texts mended; nothing is written here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studio.data.catalogue import Entry
from studio.data.doctor.report import Report
from studio.data.edits import Edits
from studio.data.index import RowIndex
from studio.errors import InputError
from studio.plugins import plugin


def fix(entry: Entry, report: Report, codes: Sequence[str], cache: Path) -> Edits:
    """The edits that take the problems of these codes out of the entry that the report is about.

    Of duplicates the first row stays. Mended rows are made when they are asked for. Raises InputError doctor_no_fix
    for a problem that no program can safely take away, and for one whose rows were not kept.
    """
    problems = [found for code in codes if (found := report.problem(code)) is not None]
    for one in problems:
        if not one.fix or not one.rows:
            raise InputError("doctor_no_fix", name=entry.name, problem=one.code)
    dropped = [one.numbers for one in problems if one.fix == "drop"]
    mended = [one for one in problems if one.fix == "mend"]
    deleted = frozenset(np.unique(np.concatenate(dropped)).tolist()) if dropped else frozenset()
    if not mended:
        return Edits(deleted=deleted)
    numbers = np.setdiff1d(np.concatenate([one.numbers for one in mended]), np.fromiter(deleted, np.int64))
    mends = [plugin("checks", one.code).mend for one in mended]
    return Edits(changed=Mended(RowIndex.of(entry, cache), numbers, mends), deleted=deleted)


class Mended(Mapping[int, Any]):
    """Rows by number, each read and mended when it is asked for."""

    def __init__(self, index: RowIndex, numbers: np.ndarray, mends: Sequence[Callable[[str], str]]) -> None:
        self._index, self._mends = index, mends
        self._numbers = frozenset(numbers.tolist())

    def __getitem__(self, number: int) -> Any:
        if number not in self._numbers:
            raise KeyError(number)
        return _everywhere(self._index.row(number)[1], self._mend)

    def __contains__(self, number: object) -> bool:
        return number in self._numbers

    def __iter__(self) -> Iterator[int]:
        return iter(sorted(self._numbers))

    def __len__(self) -> int:
        return len(self._numbers)

    def _mend(self, text: str) -> str:
        for mend in self._mends:
            text = mend(text)
        return text


def _everywhere(value: Any, mend: Callable[[str], str]) -> Any:
    """A row with every text in it mended, however deep; the names of columns stay."""
    if isinstance(value, str):
        return mend(value)
    if isinstance(value, dict):
        return {key: _everywhere(one, mend) for key, one in value.items()}
    return [_everywhere(one, mend) for one in value] if isinstance(value, list) else value
