"""predictions.jsonl: what each model answered to each row, one object a line, appended by the one who generates.

A line that was only half written when its writer died is no prediction; the next writer takes it away.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from studio.errors import WorkError

NAME, OLDER_NAME = "predictions.jsonl", "generated_predictions.jsonl"
BLOCK_BYTES = 4 << 20
STOP, LENGTH = "stop", "length"


@dataclass(frozen=True)
class Prediction:
    """What one model answered to one row, and what the metrics say of it.

    `prompt` are the messages that were asked, each with role and content; `finish` is stop, length or "" where it is
    not known; `place` is file and line of the row; a score is None where the metric does not apply. `parts` are the
    pieces of scores that only all rows together have. `references` are further answers that count as right.
    """

    model: str
    row: int
    answer: str
    reference: str = ""
    prompt: tuple[Mapping[str, Any], ...] = ()
    choices: tuple[str, ...] = ()
    thinking: str = ""
    finish: str = ""
    tokens: int = 0
    seconds: float = 0.0
    scores: Mapping[str, float | None] = field(default_factory=dict)
    place: tuple[str, int] | None = None
    parts: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    references: tuple[str, ...] = ()
    schema: Any = None
    subject: str = ""

    @property
    def question(self) -> str:
        """What was asked last."""
        return next((str(one.get("content", "")) for one in reversed(self.prompt) if one.get("role") == "user"), "")

    def plain(self) -> dict[str, Any]:
        """As a line has it; what is empty is left out where that says the same."""
        found: dict[str, Any] = {"model": self.model, "row": self.row, "prompt": [dict(one) for one in self.prompt],
                                 "reference": self.reference}
        found |= {"choices": list(self.choices)} if self.choices else {}
        found |= {"references": list(self.references)} if self.references else {}
        found |= {"schema": self.schema} if self.schema is not None else {}
        found |= {"subject": self.subject} if self.subject else {}
        found |= {"answer": self.answer}
        found |= {"thinking": self.thinking} if self.thinking else {}
        found |= {"finish": self.finish, "tokens": self.tokens, "seconds": round(self.seconds, 4),
                  "scores": {name: number(value) for name, value in self.scores.items()}}
        found |= {"parts": {name: list(part) for name, part in self.parts.items()}} if self.parts else {}
        return found | ({"place": list(self.place)} if self.place else {})


def of_plain(line: Mapping[str, Any]) -> Prediction:
    """The prediction that a line holds; raises KeyError, TypeError or ValueError for what is none."""
    place = line.get("place")
    scores = line.get("scores") or {}
    return Prediction(
        model=str(line["model"]), row=int(line["row"]), answer=str(line["answer"] or ""),
        reference=str(line.get("reference") or ""), thinking=str(line.get("thinking") or ""),
        prompt=tuple(one for one in line.get("prompt") or () if isinstance(one, Mapping)),
        choices=tuple(str(one) for one in line.get("choices") or ()), finish=str(line.get("finish") or ""),
        tokens=int(line.get("tokens") or 0), seconds=float(line.get("seconds") or 0.0),
        scores={str(name): number(value) for name, value in scores.items()},
        place=(str(place[0]), int(place[1])) if isinstance(place, list | tuple) and len(place) == 2 else None,
        parts={str(name): tuple(float(one) for one in part) for name, part in (line.get("parts") or {}).items()},
        references=tuple(str(one) for one in line.get("references") or ()), schema=line.get("schema"),
        subject=str(line.get("subject") or ""))


def number(value: Any) -> float | None:
    """A finite number; None for everything else."""
    is_number = isinstance(value, int | float) and math.isfinite(value)
    return float(value) if is_number else None


def parsed(line: bytes) -> dict[str, Any] | None:
    """The object of a line; None for what is none."""
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError:
        try:  # NaN, half a surrogate: others write them
            found = json.loads(line.decode("utf-8", "replace"))
        except (ValueError, RecursionError):
            return None
    return found if isinstance(found, dict) else None


def spelled(prediction: Prediction) -> bytes:
    """A prediction as its line."""
    text = json.dumps(prediction.plain(), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace") + b"\n"


class Writer:
    """Appends predictions; every line is with the system when `write` returns. Raises WorkError disk_refuses."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115
            os.truncate(path, whole_bytes(path))
        except OSError as error:
            raise WorkError("disk_refuses", path=str(path), reason=error.strerror or str(error)) from error

    def write(self, *predictions: Prediction) -> None:
        """Append predictions, in one piece."""
        data = memoryview(b"".join(map(spelled, predictions)))
        try:
            while data:
                data = data[self._file.write(data) or 0:]
        except OSError as error:
            raise WorkError("disk_refuses", path=str(self.path), reason=error.strerror or str(error)) from error

    def close(self) -> None:
        """Have the disk keep what was written."""
        if not self._file.closed:
            os.fsync(self._file.fileno())
            self._file.close()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def whole_bytes(path: Path) -> int:
    """The bytes up to the end of the last whole line."""
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - (1 << 16))
            file.seek(start)
            found = file.read(end - start).rfind(b"\n")
            if found >= 0:
                return start + found + 1
            end = start
    return 0


def lines(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    """(where it begins, the line) of every whole line from a byte on, some megabytes in memory at a time."""
    with open(path, "rb") as file:
        file.seek(start)
        rest = b""
        while block := file.read(BLOCK_BYTES):
            *whole, rest = (rest + block).split(b"\n") if b"\n" in block else (rest + block,)
            for line in whole:
                yield start, line
                start += len(line) + 1


def read(path: Path) -> Iterator[Prediction]:
    """Every prediction of a file in its order; lines that are none are passed over."""
    for _, line in lines(path):
        found = parsed(line)
        if found is not None:
            try:
                yield of_plain(found)
            except (KeyError, TypeError, ValueError):
                continue
