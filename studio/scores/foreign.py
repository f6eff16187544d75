"""Predictions in the older systems' form, `label` and `predict` a line: read from elsewhere, written for them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.errors import InputError, WorkError
from studio.records import read_json, write_json
from studio.scores.predictions import NAME, OLDER_NAME, Prediction, lines, parsed, read, whole_bytes

ANSWERS = ("predict", "answer", "prediction", "response", "output")
REFERENCES = ("label", "reference", "labels", "target")
PROMISED = "answers_to.json"  # in the results of a run: the file that its answers are for
MOST_BYTES = 1 << 30  # of a file that is one JSON list and must be read whole


def predictions(path: Path, model: str, expected: int | None = None,
                rows: Sequence[Prediction] | None = None) -> Iterator[Prediction]:
    """What a file from elsewhere says, as answers of `model`; row n of the file answers row n.

    `rows` are the rows that were asked: their question and reference stand in the place of what the file lacks.
    Raises InputError file_missing, file_unreadable, predictions_empty, predictions_line (a line without an answer) and
    predictions_rows when the file has another number of rows than `expected` or `rows`; nothing is given before.
    """
    wanted = len(rows) if rows is not None else expected
    count = 0
    for count, _ in enumerate(_rows(path), 1):  # noqa: B007
        pass
    if not count:
        raise InputError("predictions_empty", path=str(path))
    if wanted is not None and count != wanted:
        raise InputError("predictions_rows", path=str(path), rows=count, expected=wanted)
    for number, (line, row) in enumerate(_rows(path)):
        asked = rows[number] if rows is not None else None
        yield _prediction(row, number, model, (str(path), line), asked)


def promise(results: Path, target: Path) -> None:
    """Note where the answers are to be written once all of them are there, however often the run is interrupted."""
    results.mkdir(parents=True, exist_ok=True)
    write_json(results / PROMISED, {"path": str(target)})


def promised(results: Path) -> Path | None:
    """Where the answers of a run are to be written; None where nobody has asked for that."""
    path = (read_json(results / PROMISED) or {}).get("path")
    return Path(path) if isinstance(path, str) else None


def deliver(results: Path) -> None:
    """Write the answers to where they were promised.

    The studio's own form for `…predictions.jsonl`, else the older systems'; raises WorkError disk_refuses.
    """
    target = promised(results)
    if target is None:
        return
    aside = target.with_name(f".{target.name}.new")
    try:
        shutil.copyfile(results / (NAME if target.name.endswith(NAME) else OLDER_NAME), aside)
        aside.replace(target)
    except OSError as error:
        raise WorkError("disk_refuses", path=str(target), reason=error.strerror or str(error)) from error
    finally:
        aside.unlink(missing_ok=True)


def write_older(source: Path, model: str, folder: Path | None = None) -> Path:
    """Write a model's predictions as the older systems do, beside them or in a folder; the file that was written."""
    target = (folder or source.parent) / OLDER_NAME
    aside = target.with_name(f".{target.name}")
    try:
        with open(aside, "w", encoding="utf-8", errors="replace") as file:
            for one in read(source):
                if one.model == model:
                    row = {"prompt": _spelled(one.prompt), "predict": one.answer, "label": one.reference}
                    file.write(json.dumps(row, ensure_ascii=False) + "\n")
        aside.replace(target)
    except OSError as error:
        raise WorkError("disk_refuses", path=str(target), reason=error.strerror or str(error)) from error
    finally:
        aside.unlink(missing_ok=True)
    return target


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """(line, object) of every row; a file that is one JSON list is taken, too."""
    try:
        with open(path, "rb") as file:
            is_list = file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")
        if is_list:
            yield from _of_list(path)
            return
        for number, (_, raw) in enumerate(_all_lines(path), 1):
            if raw.strip():
                row = parsed(raw.removeprefix(b"\xef\xbb\xbf"))
                if row is None or _first(row, ANSWERS) is None:
                    raise InputError("predictions_line", path=str(path), line=number)
                yield number, row
    except FileNotFoundError:
        raise InputError("file_missing", path=str(path)) from None
    except OSError as error:
        raise InputError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error


def _all_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Every line; the last one needs no end if it is whole."""
    yield from lines(path)
    end = whole_bytes(path)
    with open(path, "rb") as file:
        file.seek(end)
        last = file.read()
    if last and parsed(last) is not None:  # else it was only half written
        yield end, last


def _of_list(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    if path.stat().st_size > MOST_BYTES:
        raise InputError("predictions_line", path=str(path), line=1)
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig", errors="replace"))
    except (ValueError, RecursionError):
        raise InputError("predictions_line", path=str(path), line=1) from None
    for number, row in enumerate(found, 1):
        if not isinstance(row, dict) or _first(row, ANSWERS) is None:
            raise InputError("predictions_line", path=str(path), line=number)
        yield number, row


def _prediction(row: Mapping[str, Any], number: int, model: str, place: tuple[str, int],
                asked: Prediction | None) -> Prediction:
    label, prompt = _first(row, REFERENCES), row.get("prompt")
    messages: tuple[Mapping[str, Any], ...] = ()
    if isinstance(prompt, str) and prompt:
        messages = ({"role": "user", "content": prompt},)
    elif isinstance(prompt, list):
        messages = tuple(one for one in prompt if isinstance(one, Mapping))
    return Prediction(
        model=model, row=asked.row if asked else number, answer=str(_first(row, ANSWERS)),
        reference=asked.reference if asked and asked.reference else "" if label is None else str(label),
        prompt=asked.prompt if asked and asked.prompt else messages, choices=asked.choices if asked else (),
        place=asked.place if asked else place)


def _first(row: Mapping[str, Any], names: Sequence[str]) -> Any:
    """The value of the first of these columns that is there."""
    return next((row[name] for name in names if row.get(name) is not None), None)


def _spelled(prompt: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(str(one.get("content", "")) for one in prompt)
