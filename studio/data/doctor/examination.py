"""One pass over the rows of a dataset, every check looking on; memory holds a chunk and a few bytes of each row."""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from studio.data.catalogue import Entry, sources_of
from studio.data.chat import ChatTokenizer
from studio.data.doctor import report as reports
from studio.data.doctor.report import Example, Problem, Report
from studio.data.walk import Place, walk
from studio.errors import InputError, StopAsked
from studio.plugins import kinds, plugin
from studio.plugins.checks import Case, Side, Terms, Values
from studio.sample import Sample

CHUNK_ROWS, CHUNK_LETTERS = 512, 4_000_000
CUTOFF_LEN = 1024
USELESS = "untrained"  # the one check whose rows training leaves out, as the skipped ones
ENDS_EARLY = ("dataset_broken", "dataset_changed")
Tell = Callable[[int, int], None]
Stop = Callable[[], bool]
Steps = list[tuple[Place, Any, Sample | str]]


def examine(entry: Entry, *, chat: ChatTokenizer | None = None, cutoff_len: int = CUTOFF_LEN,
            against: Sequence[Entry] = (), folder: Path | None = None, codes: Sequence[str] | None = None,
            tell: Tell | None = None, should_stop: Stop | None = None) -> Report:
    """What is wrong with a dataset; `codes` names the checks to make, all of them unless given.

    Without `chat` nothing is said about tokens, without `against` nothing about overlap. With `folder` the report and
    the numbers of all rows are kept there. `tell(done, total)` hears rows, the total is an estimate from bytes. A file
    that breaks off in its middle is a problem of its own, behind the rows before it. Raises StopAsked, and InputError
    when nothing can be read.
    """
    terms = Terms(cutoff_len if chat else 0, frozenset(chat.eos_ids) if chat else frozenset(),
                  {one.name: partial(_samples, one, should_stop) for one in against})
    chosen = [code for code in kinds("checks") if codes is None or code in codes]
    made = [code for code in chosen if _is_possible(plugin("checks", code), terms, chat)]
    work = _Examination(entry, chat, terms, made, tell, should_stop)
    work.run()
    left_out = tuple(code for code in chosen if code not in made)
    return _kept(work, entry, left_out, folder)


def _is_possible(check: ModuleType, terms: Terms, chat: ChatTokenizer | None) -> bool:
    return {"tokens": chat is not None, "others": bool(terms.others)}.get(check.NEEDS, True)


def _samples(entry: Entry, should_stop: Stop | None) -> Iterator[Sample]:
    for place, _, sample in walk(entry, limit=entry.num_samples):
        if should_stop and place.number % CHUNK_ROWS == 0 and should_stop():
            raise StopAsked("examining")
        if isinstance(sample, Sample):
            yield sample


class _Found:
    """The rows of one problem, and what is wrong with the first of them."""

    def __init__(self) -> None:
        self.numbers = array("q")
        self.first: list[tuple[int, Values]] = []

    def add(self, number: int, values: Values) -> None:
        self.numbers.append(number)
        if len(self.first) < reports.SHOWN:
            self.first.append((number, values))


class _Examination:
    """One pass; afterwards `found` has the rows of each problem by code."""

    def __init__(self, entry: Entry, chat: ChatTokenizer | None, terms: Terms, codes: Sequence[str],
                 tell: Tell | None, should_stop: Stop | None) -> None:
        self.entry, self.chat, self.tell, self.should_stop = entry, chat, tell, should_stop
        self.terms = terms
        self.checks = {code: _looker(plugin("checks", code), terms) for code in codes}
        self.found: dict[str, _Found] = {}
        self.skipped: dict[str, _Found] = {}
        self.broken: tuple[InputError, int] | None = None
        self.rows = self.usable = self.bytes = 0
        self.files: list[tuple[int, str]] = []
        self.lines = array("q")
        self.total_bytes = sum(source.size for source in sources_of(entry))

    def run(self) -> None:
        """Look at every row."""
        for chunk in self._chunks():
            self._take(chunk)
            self._tick()
        for code, check in self.checks.items():
            if hasattr(check, "finish"):
                for number, values in check.finish():
                    self.found.setdefault(code, _Found()).add(number, values)
                self._tick()
        if self.tell:
            self.tell(self.rows, self.rows)

    def _chunks(self) -> Iterator[Steps]:
        steps = walk(self.entry, at=self._at, limit=self.entry.num_samples)
        chunk: Steps = []
        letters = 0
        try:
            for step in steps:
                chunk.append(step)
                letters += _letters(step[2])
                if len(chunk) == CHUNK_ROWS or letters > CHUNK_LETTERS:
                    yield chunk
                    chunk, letters = [], 0
        except InputError as error:
            if error.code not in ENDS_EARLY:
                raise
            self.broken = (error, self.rows + len(chunk))
        yield chunk

    def _at(self, position: int) -> None:
        self.bytes = position

    def _take(self, chunk: Steps) -> None:
        for place, _, sample in chunk:
            if not self.files or self.files[-1][1] != place.file:
                self.files.append((place.number, place.file))
            self.lines.append(place.line)
            if isinstance(sample, str):
                self.skipped.setdefault(sample, _Found()).add(place.number, {})
        usable = [(place, row, sample) for place, row, sample in chunk if isinstance(sample, Sample)]
        sides = self._sides([sample for _, _, sample in usable])
        lookers = list(self.checks.items())
        for (place, row, sample), sided in zip(usable, sides, strict=True):
            if isinstance(sided, str):
                self.skipped.setdefault(sided, _Found()).add(place.number, {})
                continue
            case = Case(place.number, sample, row, sided)
            is_usable = True
            for code, check in lookers:
                values = check.see(case)
                if values is not None:
                    self.found.setdefault(code, _Found()).add(place.number, values)
                    is_usable &= code != USELESS
            self.usable += is_usable
        self.rows += len(chunk)

    def _sides(self, samples: Sequence[Sample]) -> Iterable[Sequence[Side] | str]:
        """The tokens of each row without any cutoff, or why it has none; nothing without a tokenizer."""
        if self.chat is None:
            return itertools.repeat((), len(samples))
        pairs = iter(self.chat.encode_pairs([one for one in samples if one.kind == "preference"]))
        plain = iter(self.chat.encode_batch([one for one in samples if one.kind in ("chat", "rated")]))
        found: list[Sequence[Side] | str] = []
        for sample in samples:
            if sample.kind == "text":
                found.append(())
            elif sample.kind == "preference":
                found.append(next(pairs))
            else:
                one = next(plain)
                found.append(one if isinstance(one, str) else (one,))
        return found

    def _tick(self) -> None:
        if self.tell:
            share = min(1.0, self.bytes / self.total_bytes) if self.total_bytes else 1.0
            self.tell(self.rows, max(self.rows, round(self.rows / share) if share else self.rows))
        if self.should_stop and self.should_stop():
            raise StopAsked("examining")

    def example(self, number: int, values: Values) -> Example:
        """A row as a report shows it; `of` becomes the place of the other row."""
        file, line = self.place(number)
        if "of" in values:
            other, at = self.place(values["of"])
            values = {**values, "of": f"{other}:{at}"}
        return Example(file, line, number, {name: _writable(value) for name, value in values.items()})

    def place(self, number: int) -> tuple[str, int]:
        """(file, line) of a row."""
        file = next(name for first, name in reversed(self.files) if first <= number)
        return file, self.lines[number]


def _letters(sample: Sample | str) -> int:
    """About how much a row holds."""
    return 0 if isinstance(sample, str) else len(sample.text) + sum(len(one.content) for one in sample.messages)


def _writable(value: Any) -> Any:
    """A value without halves of letters, which no file takes."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _looker(check: ModuleType, terms: Terms) -> Any:
    """What looks at each row: the check's own object, else the module with its `see`."""
    return check.whole(terms) if hasattr(check, "whole") else check


def _kept(work: _Examination, entry: Entry, left_out: tuple[str, ...], folder: Path | None) -> Report:
    """The report, with its files where they are wanted; they come into place all at once."""
    problems = [*_ended(work), *(_problem(work, code, found, True) for code, found in work.skipped.items()),
                *(_problem(work, code, work.found[code], False) for code in work.checks if code in work.found)]
    plain = Report(entry.name, work.rows, work.usable, tuple(problems), work.terms.cutoff_len, left_out, time.time())
    if folder is None:
        return plain
    folder.parent.mkdir(parents=True, exist_ok=True)
    reports.prune(folder.parent)
    aside = Path(tempfile.mkdtemp(prefix=".making-", dir=folder.parent))
    try:
        report = _with_rows(plain, {**work.skipped, **work.found}, aside, folder)
        reports.write(aside, report, entry)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return report


def _ended(work: _Examination) -> list[Problem]:
    """The problem of a file that broke off, if one did."""
    if work.broken is None:
        return []
    error, number = work.broken
    values = {"reason": str(error.values.get("reason", ""))}
    example = Example(str(error.values.get("path", "")), int(error.values.get("line", 0)), number, values)
    return [Problem(error.code, 1, "error", "", (example,))]


def _problem(work: _Examination, code: str, found: _Found, is_skipped: bool) -> Problem:
    fix = "drop" if is_skipped else str(plugin("checks", code).FIX)
    first = sorted(found.first, key=lambda one: one[0])
    return Problem(code, len(found.numbers), reports.severity(code), fix,
                   tuple(work.example(number, values) for number, values in first), is_skipped=is_skipped)


def _with_rows(report: Report, found: Mapping[str, _Found], aside: Path, folder: Path) -> Report:
    """The report with the files of all rows, written aside."""
    problems = []
    for one in report.problems:
        if one.code in found:
            np.save(aside / f"{one.code}.npy", np.sort(np.asarray(found[one.code].numbers, np.int64)))
            one = replace(one, rows=str(folder / f"{one.code}.npy"))
        problems.append(one)
    return replace(report, problems=tuple(problems), folder=str(folder))
