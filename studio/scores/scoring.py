"""Metrics over predictions: one answer at a time beside the engine, or a whole file on all cores.

    python -m studio.scores.scoring FOLDER WORKER

is one of the processes that `score_file` starts; FOLDER/job.json says what is to be done. Each writes pieces of the
new file, whole or not at all, so that what was interrupted goes on with the next piece.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from studio.errors import InputError, StopAsked, WorkError
from studio.plugins import kinds, plugin
from studio.plugins.metrics import Row
from studio.records import read_json, write_atomically, write_json
from studio.scores.predictions import Prediction, of_plain, parsed, spelled
from studio.workspace import PROJECT

PIECE_BYTES = 1 << 20
ALONE_BYTES = 2 * PIECE_BYTES  # a file that is shorter is scored here: a process takes longer to begin
POLL_SECONDS = 0.05
GRACE_SECONDS = 3.0
MOST_REASON = 200
SHORT_ANSWER = 80  # characters of the middle reference, up to which answers are compared as a whole
SHARE_OF_NUMBERS = 0.8
Tell = Callable[[int, int], None]
Stop = Callable[[], bool]
Options = Mapping[str, Any]


class Scorer:
    """Scores answers by some metrics; raises InputError metric_unknown and what a metric's own check refuses.

    A row without a reference has no score by a metric that needs one.

    A metric that breaks on an answer gives None there, and is remembered in `failures`: how often, and why at first.
    """

    def __init__(self, names: Sequence[str], options: Options | None = None) -> None:
        self.names, self.options = tuple(dict.fromkeys(names)), dict(options or {})
        self.failures: dict[str, tuple[int, str]] = {}
        self._metrics = {name: metric(name) for name in self.names}
        for one in self._metrics.values():
            if hasattr(one, "check"):
                one.check(self.options)

    def scored(self, prediction: Prediction) -> Prediction:
        """The prediction with its scores, and with the pieces of those that only all rows together have."""
        row = Row(question=prediction.question, choices=prediction.choices, schema=prediction.schema,
                  references=prediction.references, options=self.options)
        scores, parts = dict(prediction.scores), dict(prediction.parts)
        has_reference = bool(prediction.reference.strip() or prediction.references)
        for name, one in self._metrics.items():
            if not has_reference and "reference" in one.NEEDS:
                scores[name] = None
                parts.pop(name, None)
                continue
            if hasattr(one, "score"):
                value = self._asked(name, one.score, prediction, row)
                scores[name] = None if value is None else float(value)
            if hasattr(one, "parts"):
                found = self._asked(name, one.parts, prediction, row)
                if found is not None:
                    parts[name] = tuple(float(part) for part in found)
        return replace(prediction, scores=scores, parts=parts)

    def _asked(self, name: str, ask: Callable[[str, str, Row], Any], prediction: Prediction, row: Row) -> Any:
        try:
            return ask(prediction.answer, prediction.reference, row)
        except InputError:
            raise
        except Exception as error:  # a user's own function may break in any way; the others go on, and it is told
            count, reason = self.failures.get(name, (0, f"{type(error).__name__}: {error}"[:MOST_REASON]))
            self.failures[name] = (count + 1, reason)
            return None


def metric(name: str) -> ModuleType:
    """The plug-in of a metric, by its name or one of its older ones; raises InputError metric_unknown."""
    if name in kinds("metrics"):
        return plugin("metrics", name)
    raise InputError("metric_unknown", value=name, known=", ".join(kinds("metrics")))


def named(name: str) -> str:
    """A metric's name today, for that name or an older one; raises InputError metric_unknown."""
    for known in kinds("metrics"):
        if name == known or name in getattr(plugin("metrics", known), "ALIASES", ()):
            return known
    raise InputError("metric_unknown", value=name, known=", ".join(kinds("metrics")))


def unfit(names: Sequence[str], there: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """What is missing for each metric that cannot be used when only `there` of reference, choices, schema is there."""
    missing = {name: tuple(need for need in metric(name).NEEDS if need not in there) for name in names}
    return {name: needs for name, needs in missing.items() if needs}


def suggested(references: Sequence[str], has_choices: bool) -> tuple[str, ...]:
    """The metrics that tell most of rows with these right answers, when nobody has chosen any."""
    given = sorted(one.strip() for one in references if one.strip())
    if not given:
        return ("distinct", "repetition")
    if has_choices:
        return ("choice", "exact_match_normalised")
    is_short = sorted(map(len, given))[len(given) // 2] <= SHORT_ANSWER
    with_number = sum(any(sign.isdigit() for sign in one) for one in given) >= SHARE_OF_NUMBERS * len(given)
    numbers = ("last_number",) if with_number and is_short else ()
    exact = ("exact_match", "exact_match_normalised", *numbers) if is_short else ()
    return (*exact, "token_f1", "bleu4_char", "rouge1", "rouge2", "rougel", *(() if is_short else ("length_ratio",)))


def score_file(path: Path, names: Sequence[str], options: Options | None = None, workers: int | None = None,
               tell: Tell | None = None, should_stop: Stop | None = None) -> dict[str, tuple[int, str]]:
    """Score every prediction of a file anew by these metrics, other scores stay; the metrics that broke, and why.

    The file is replaced in one instant at the end; half-made pieces stay beside it for the next time. `tell(done,
    total)` hears bytes. Raises StopAsked, InputError and WorkError scoring_failed, disk_refuses.
    """
    scorer = Scorer(names, options)
    size = path.stat().st_size
    folder = path.with_name(f".scoring-{_key(path, scorer)}")
    for old in path.parent.glob(".scoring-*"):
        if old != folder:
            shutil.rmtree(old, ignore_errors=True)
    try:
        pieces = _prepared(path, scorer, folder, size)
        at_once = min(workers or os.cpu_count() or 1, len(pieces))
        if at_once <= 1 or size < ALONE_BYTES:
            _work(folder, scorer, range(len(pieces)), lambda: _told(folder, pieces, tell, should_stop))
        else:
            _together(folder, pieces, at_once, tell, should_stop)
        _joined(folder, pieces, path)
    except OSError as error:
        raise WorkError("disk_refuses", path=str(path), reason=error.strerror or str(error)) from error
    failures = _failures(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return failures


def _key(path: Path, scorer: Scorer) -> str:
    """What belongs together: this file as it is now, these metrics, these options."""
    stat = path.stat()
    said = [str(path.resolve()), stat.st_size, stat.st_mtime_ns, scorer.names, scorer.options]
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()[:16]


def _prepared(path: Path, scorer: Scorer, folder: Path, size: int) -> list[tuple[int, int]]:
    """The pieces of the file, [first byte, end) each at a line's; written down for the processes."""
    pieces, begin = [], 0
    with open(path, "rb") as file:
        while begin < size:
            file.seek(min(size, begin + PIECE_BYTES))
            file.readline()
            pieces.append((begin, file.tell()))
            begin = file.tell()
    folder.mkdir(exist_ok=True)
    write_json(folder / "job.json", {"path": str(path), "names": list(scorer.names), "options": scorer.options,
                                     "pieces": pieces})
    return pieces


def _work(folder: Path, scorer: Scorer, mine: Sequence[int], between: Callable[[], None] | None = None) -> None:
    """Write these pieces, but for those that are there already."""
    job = read_json(folder / "job.json") or {}
    for number in mine:
        target = folder / f"{number}.jsonl"
        if not target.exists():
            begin, end = job["pieces"][number]
            text = "".join(_scored_lines(Path(job["path"]), begin, end, scorer))
            write_atomically(folder / f"{number}.failures", json.dumps(scorer.failures))
            write_atomically(target, text)
            scorer.failures = {}
        if between:
            between()


def _scored_lines(path: Path, begin: int, end: int, scorer: Scorer) -> Iterator[str]:
    """The lines of a piece with their scores; what is no whole prediction is left out."""
    with open(path, "rb") as file:
        file.seek(begin)
        *whole, _half = file.read(end - begin).split(b"\n")
    for raw in whole:
        try:
            prediction = of_plain(parsed(raw) or {})
        except (KeyError, TypeError, ValueError):
            continue
        yield spelled(scorer.scored(prediction)).decode()


def _together(folder: Path, pieces: Sequence[tuple[int, int]], workers: int, tell: Tell | None,
              should_stop: Stop | None) -> None:
    """Have several processes write the pieces; ends them all when one fails or somebody asks to stop."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])}
    children = []
    try:
        for number in range(workers):
            with open(folder / f"{number}.console", "wb") as console:
                command = [sys.executable, "-m", "studio.scores.scoring", str(folder), f"{number}/{workers}"]
                children.append(subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                                                 env=env))
        while any(child.poll() is None for child in children):
            _told(folder, pieces, tell, should_stop)
            for number, child in enumerate(children):
                if child.poll():
                    raise _failure(folder, number)
            time.sleep(POLL_SECONDS)
        for number, child in enumerate(children):
            if child.returncode:
                raise _failure(folder, number)
        _told(folder, pieces, tell, None)
    finally:
        for child in children:
            _end(child)


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def _failure(folder: Path, number: int) -> Exception:
    """What a process has said of its end."""
    said = read_json(folder / f"{number}.refused")
    if said:
        return InputError(str(said["code"]), **said["values"])
    text = (folder / f"{number}.console").read_text(encoding="utf-8", errors="replace").strip()
    return WorkError("scoring_failed", reason=text.splitlines()[-1][:MOST_REASON] if text else "")


def _told(folder: Path, pieces: Sequence[tuple[int, int]], tell: Tell | None, should_stop: Stop | None) -> None:
    if should_stop and should_stop():
        raise StopAsked("scoring")
    if tell:
        done = sum(end - begin for number, (begin, end) in enumerate(pieces) if (folder / f"{number}.jsonl").exists())
        tell(done, pieces[-1][1] if pieces else 0)


def _joined(folder: Path, pieces: Sequence[tuple[int, int]], path: Path) -> None:
    """Put the pieces in the place of the file."""
    whole = folder / "whole"
    with open(whole, "wb") as file:
        for number in range(len(pieces)):
            with open(folder / f"{number}.jsonl", "rb") as piece:
                shutil.copyfileobj(piece, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(whole, path)


def _failures(folder: Path) -> dict[str, tuple[int, str]]:
    found: dict[str, tuple[int, str]] = {}
    for part in sorted(folder.glob("*.failures")):
        for name, (count, reason) in (read_json(part) or {}).items():
            found[name] = (found.get(name, (0, ""))[0] + count, found.get(name, (0, reason))[1])
    return found


def main(argv: Sequence[str]) -> int:
    """Do one worker's share of a job; 2 when its metrics refuse to work."""
    folder, (number, workers) = Path(argv[0]), map(int, argv[1].split("/"))
    job = read_json(folder / "job.json") or {}
    try:
        scorer = Scorer(job["names"], job["options"])
        _work(folder, scorer, range(number, len(job["pieces"]), workers))
    except InputError as error:
        write_json(folder / f"{number}.refused", {"code": error.code,
                                                  "values": {key: str(value) for key, value in error.values.items()}})
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
