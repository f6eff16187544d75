"""What an examination found, kept as files.

    <cache>/doctor/<key>/report.json    counts, problems, and the first rows of each
                         <code>.npy     the numbers of all rows of a problem, ascending, int64

A report belongs to the files that it was made from: `last` finds none for a dataset that has changed since.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from studio.data.catalogue import Entry
from studio.data.index import stamps_of
from studio.plugins import kinds, plugin
from studio.records import read_json, write_json
from studio.texts import has, say
from studio.workspace import Workspace

REPORT = "report.json"
MOST_KEPT = 30
SHOWN = 20
SEVERITY_OF_SKIPPED = "error"


@dataclass(frozen=True)
class Example:
    """One row of a problem; `number` counts from 0, `values` fill the problem's sentence about a row."""

    file: str
    line: int
    number: int
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """One problem: a check's code, or the reason why rows are skipped (`is_skipped`).

    `severity` is error, warning or note; `fix` is drop, mend or "" where a program can do nothing that is safe; `rows`
    is the .npy file with the numbers of all its rows, "" when nothing is kept.
    """

    code: str
    count: int
    severity: str
    fix: str
    examples: tuple[Example, ...] = ()
    rows: str = ""
    is_skipped: bool = False

    @property
    def fixable(self) -> bool:
        """Whether a new version without the problem can be made."""
        return bool(self.fix)

    @property
    def harmless(self) -> bool:
        """Whether its fix loses nothing that anybody could miss: rows mended, said twice, or of no use to training."""
        if self.is_skipped or self.fix == "mend":
            return self.fixable
        return self.fixable and bool(getattr(plugin("checks", self.code), "HARMLESS", False))

    @property
    def numbers(self) -> np.ndarray:
        """The numbers of all its rows, mapped, not loaded."""
        return np.load(self.rows, mmap_mode="r") if self.rows else np.zeros(0, np.int64)

    def title(self, lang: str) -> str:
        """What it is, in a few words."""
        return say(lang, f"data.skipped.{self.code}" if self.is_skipped else f"data.doctor.checks.{self.code}.title")

    def matters(self, lang: str) -> str:
        """Why it matters, in one sentence."""
        return say(lang, self._key("matters"))

    def remedy(self, lang: str) -> str:
        """What the fix does; "" without one."""
        return say(lang, self._key("fix")) if self.fix else ""

    def why(self, lang: str, example: Example) -> str:
        """What is wrong with one of its rows."""
        if self.is_skipped:
            return self.title(lang)
        values = {name: say(lang, value[1:]) if str(value).startswith("@") and has(lang, value[1:]) else value
                  for name, value in example.values.items()}  # a value that is itself a sentence, named by its key
        return say(lang, f"data.doctor.checks.{self.code}.row", **values)

    def _key(self, part: str) -> str:
        return f"data.doctor.skipped.{part}" if self.is_skipped else f"data.doctor.checks.{self.code}.{part}"


@dataclass(frozen=True)
class Report:
    """One examination: how many rows there are, how many of them training can use, and what is wrong.

    `cutoff_len` is 0 when no model was given, so that what needs tokens was not looked for; `left_out` names the checks
    that were not made. The problems stand in the order of the checks, the skipped rows first.
    """

    name: str
    rows: int
    usable: int
    problems: tuple[Problem, ...]
    cutoff_len: int = 0
    left_out: tuple[str, ...] = ()
    made: float = 0.0
    folder: str = ""

    def problem(self, code: str) -> Problem | None:
        """The problem of this code, if it was found."""
        return next((one for one in self.problems if one.code == code), None)

    def plain(self) -> dict[str, Any]:
        """The report as JSON can hold it."""
        return asdict(self)

    def spoken(self, lang: str) -> list[dict[str, Any]]:
        """The problems in words, as a page or a terminal shows them."""
        return [{"code": one.code, "count": one.count, "severity": one.severity, "fixable": one.fixable,
                 "title": one.title(lang), "matters": one.matters(lang), "fix": one.remedy(lang), "rows": one.rows,
                 "examples": [{"file": e.file, "line": e.line, "number": e.number, "why": one.why(lang, e)}
                              for e in one.examples]} for one in self.problems]


def read(folder: Path) -> Report | None:
    """The report in a folder; None when there is none or one of a studio that knew other words."""
    found = read_json(folder / REPORT)
    try:
        return None if found is None else of_plain(found["report"])
    except (KeyError, TypeError):
        return None


def of_plain(found: Mapping[str, Any]) -> Report:
    """The report that `plain` gave; raises KeyError or TypeError for anything else."""
    problems = tuple(Problem(**{**one, "examples": tuple(Example(**e) for e in one["examples"])})
                     for one in found["problems"])
    if not all(has("en", one._key("matters")) for one in problems):
        raise KeyError(found["name"])
    return Report(**{**found, "problems": problems, "left_out": tuple(found["left_out"])})


def write(folder: Path, report: Report, entry: Entry) -> None:
    """Write a report whose .npy files are there already; the report itself comes last."""
    write_json(folder / REPORT, {"stamps": stamps_of(entry), "report": report.plain()})


def report_folder(workspace: Workspace, entry: Entry, **terms: Any) -> Path:
    """Where the report of a dataset as it is now belongs, one for each set of terms (model, cutoff_len, others)."""
    said = hashlib.sha256(json.dumps(terms, sort_keys=True, default=str).encode()).hexdigest()[:12]
    return workspace.cache / "doctor" / f"{_key(entry)}-{said}"


def last(workspace: Workspace, entry: Entry) -> Report | None:
    """The newest report of a dataset, if its files are still the same."""
    found = sorted((workspace.cache / "doctor").glob(f"{_key(entry)}-*/{REPORT}"),
                   key=lambda path: path.stat().st_mtime, reverse=True)
    return next((report for path in found if (report := read(path.parent))), None)


def is_of(folder: Path, entry: Entry) -> bool:
    """Whether the report in a folder was made from the files of this entry as they are now."""
    return (read_json(folder / REPORT) or {}).get("stamps") == stamps_of(entry)


def prune(room: Path) -> None:
    """Let go of the oldest reports."""
    folders = sorted((path for path in room.glob("*") if path.is_dir()), key=lambda path: path.stat().st_mtime)
    for folder in folders[:-MOST_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)


def _key(entry: Entry) -> str:
    said = [entry.name, entry.formatting, dict(entry.columns), dict(entry.tags), stamps_of(entry)]
    return hashlib.sha256(json.dumps(said, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def severity(code: str) -> str:
    """How bad a problem is."""
    return str(plugin("checks", code).SEVERITY) if code in kinds("checks") else SEVERITY_OF_SKIPPED
