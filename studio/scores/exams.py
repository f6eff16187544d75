"""Exams of questions with options as users have them: C-Eval, CMMLU and MMLU, a folder or an archive of csv files.

A part of the exam is a folder (`dev`, `val`, `test`), a subject a file in it: `val/accountant_val.csv`. With a header
the columns are question, A, B, …, answer in any case and order; without one they stand in this order, as in MMLU.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from studio.errors import InputError
from studio.sample import Message, Sample

PARTS = ("test", "val", "dev")
SHOTS = "dev"
LETTERS = "ABCDEFGHIJ"
_FILE = re.compile(r"(?:^|/)(dev|val|validation|test)/([^/]+?)(?:_(?:dev|val|validation|test))?\.csv$")
_SAME = {"validation": "val"}
_MOST_BYTES = 64 << 20


@dataclass(frozen=True)
class Item:
    """One question with its options; `letter` is the right one, "" where the file does not tell."""

    subject: str
    question: str
    options: tuple[str, ...]
    letter: str
    place: tuple[str, int]

    @property
    def spelled(self) -> str:
        """The question with its options below it."""
        return "\n".join([self.question, *(f"{name}. {text}" for name, text in zip(LETTERS, self.options))])

    @property
    def sample(self) -> Sample:
        """As a conversation whose answer is the letter."""
        return Sample((Message("user", self.spelled), Message("assistant", self.letter)), choices=self.options)


@dataclass(frozen=True)
class Exam:
    """The csv files of one exam by part and subject."""

    path: Path
    files: Mapping[tuple[str, str], str]

    @classmethod
    def of(cls, path: Path) -> Exam | None:
        """The exam in a folder or archive; None where there is none."""
        try:
            archives = sorted(path.glob("*.zip")) if path.is_dir() else []
            if len(archives) == 1 and not any(path.glob("*/*.csv")):  # as LLaMA-Factory keeps an exam
                return cls.of(archives[0])
            if path.is_dir():
                names = [one.relative_to(path).as_posix() for one in sorted(path.glob("**/*.csv"))]
            elif zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    names = sorted(archive.namelist())
            else:
                return None
        except (OSError, zipfile.BadZipFile):
            return None
        found = {(_SAME.get(match[1], match[1]), match[2]): name for name in names if (match := _FILE.search(name))}
        return cls(path, found) if found else None

    @property
    def parts(self) -> tuple[str, ...]:
        """The parts that are there."""
        there = {part for part, _ in self.files}
        return tuple(one for one in PARTS if one in there)

    def items(self, part: str) -> dict[str, list[Item]]:
        """The questions of a part by subject; `auto` is the first part whose right answers are there.

        Raises InputError exam_part, exam_unanswered.
        """
        if part != "auto":
            if part not in self.parts:
                raise InputError("exam_part", value=part, known=self.parts, path=str(self.path))
            found = self._part(part)
            if not any(one.letter for items in found.values() for one in items):
                raise InputError("exam_unanswered", value=part, path=str(self.path))
            return found
        for one in self.parts:
            found = self._part(one)
            if any(item.letter for items in found.values() for item in items):
                return found
        raise InputError("exam_unanswered", value=part, path=str(self.path))

    def shots(self, subject: str, count: int) -> list[Item]:
        """The first solved examples of a subject; fewer where there are not so many."""
        name = self.files.get((SHOTS, subject))
        return [one for one in self._read(name, subject) if one.letter][:count] if name and count else []

    def _part(self, part: str) -> dict[str, list[Item]]:
        return {subject: list(self._read(name, subject)) for (one, subject), name in sorted(self.files.items())
                if one == part}

    def _read(self, name: str, subject: str) -> Iterator[Item]:
        text = self._bytes(name).decode("utf-8-sig", "replace")
        rows = csv.reader(io.StringIO(text))
        first = next(rows, None)
        if first is None:
            return
        heads = [cell.strip().lower() for cell in first]
        if "question" in heads and "a" in heads:
            columns = [heads.index("question"), *(heads.index(one) for one in LETTERS.lower() if one in heads)]
            answer = heads.index("answer") if "answer" in heads else -1
        else:
            columns, answer = list(range(len(first) - 1)), len(first) - 1
            yield from _item(first, columns, answer, subject, (name, 1))
        for row in rows:
            yield from _item(row, columns, answer, subject, (name, rows.line_num))

    def _bytes(self, name: str) -> bytes:
        try:
            if self.path.is_dir():
                with open(self.path / name, "rb") as file:
                    return file.read(_MOST_BYTES)
            with zipfile.ZipFile(self.path) as archive, archive.open(name) as member:
                return member.read(_MOST_BYTES)
        except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
            raise InputError("file_unreadable", path=f"{self.path}/{name}", reason=str(error)) from error


def _item(row: Sequence[str], columns: Sequence[int], answer: int, subject: str,
          place: tuple[str, int]) -> Iterator[Item]:
    """The question of a row; nothing for a row that has none, or fewer than two options."""
    cells = [row[column].strip() if column < len(row) else "" for column in columns]
    options = tuple(one for one in cells[1:] if one)
    if not cells or not cells[0] or len(options) < 2:
        return
    said = row[answer].strip().upper() if 0 <= answer < len(row) else ""
    letter = said if len(said) == 1 and said in LETTERS[:len(options)] else ""
    yield Item(subject, cells[0], options, letter, place)


def evenly(parts: Mapping[str, Sequence[Item]], most: int | None) -> list[Item]:
    """The answered questions of all subjects one after the other; of more than `most`, as many from each."""
    answered = {subject: [one for one in items if one.letter] for subject, items in parts.items()}
    taken = dict.fromkeys(answered, 0)
    left = sum(map(len, answered.values())) if most is None else most
    while left > 0 and any(taken[one] < len(answered[one]) for one in answered):
        for one in answered:
            if left > 0 and taken[one] < len(answered[one]):
                taken[one] += 1
                left -= 1
    return [item for subject, items in answered.items() for item in items[:taken[subject]]]
