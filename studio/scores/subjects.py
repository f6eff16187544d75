"""Exams by subject: the score of every subject with its interval; and which exams lie in the data folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import numpy as np

from studio.scores import statistics
from studio.scores.exams import Exam
from studio.scores.predictions import read
from studio.scores.statistics import Interval
from studio.workspace import Workspace

MOST_LOOKED_AT = 400
BySubject = Mapping[str, Mapping[str, Interval]]


def by_subject(path: Path, metric: str) -> BySubject:
    """{subject: {model: score}} of a file of predictions, in the order of the subjects' names; {} where none is named.

    The file is read once for each state of it.
    """
    try:
        status = os.stat(path)
    except OSError:
        return {}
    return _read(path, metric, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=16)
def _read(path: Path, metric: str, changed: int, size: int) -> BySubject:
    found: dict[str, dict[str, list[float]]] = {}
    for place, one in enumerate(read(path)):
        if place == 0 and not one.subject:  # an exam names the subject of every question
            return {}
        value = one.scores.get(metric)
        if one.subject and value is not None:
            found.setdefault(one.subject, {}).setdefault(one.model, []).append(value)
    return {subject: {model: statistics.interval(np.array(values, float)) for model, values in by.items()}
            for subject, by in sorted(found.items())}


def exams(workspace: Workspace) -> list[Path]:
    """The exams in the data folder and in its folders, as folders or archives of csv files."""
    found: list[Path] = []
    looked_at = 0
    for room in (workspace.data, *_folders(workspace.data)):
        if any(room.is_relative_to(exam) for exam in found):
            continue
        for path in _entries(room):
            looked_at += 1
            if looked_at > MOST_LOOKED_AT:
                return found
            if (path.is_dir() or path.suffix.lower() == ".zip") and _is_exam(path, path.stat().st_mtime_ns):
                found.append(path)
    return found


def _entries(room: Path) -> list[Path]:
    try:
        return sorted(path for path in room.iterdir() if not path.name.startswith(".") and path.exists())
    except OSError:
        return []


def _folders(room: Path) -> list[Path]:
    return [path for path in _entries(room) if path.is_dir()]


@lru_cache(maxsize=1024)
def _is_exam(path: Path, changed: int) -> bool:
    if path.is_dir() and not any((path / part).is_dir() for part in ("dev", "val", "validation", "test")):
        return False
    return Exam.of(path) is not None
