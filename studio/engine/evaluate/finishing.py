"""From answers to results: the file in order, every answer scored, scores.json, the report, the older systems' file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from studio.engine.job import Job
from studio.records import write_json
from studio.scores import foreign, judge, report, scoring, statistics, summary
from studio.scores.browse import Predictions
from studio.scores.leaks import Leaks
from studio.scores.predictions import NAME, lines, of_plain, parsed, read
from studio.specs import evaluate


def finish(job: Job, names: Sequence[str], metrics: Sequence[str], leaked: Leaks | None, *,
           scored: bool = False) -> None:
    """Score what was answered and write every result; raises StopAsked and what scoring raises.

    With `scored` the answers have their scores already.
    """
    results, recorder = job.folder.results, job.recorder
    path = results / NAME
    recorder.phase("scoring", eta_seconds=None)
    arranged(path, names)
    options = evaluate.options(job.spec, job.workspace)
    failures = {} if scored else scoring.score_file(
        path, metrics, options, job.spec.cpu_threads, lambda done, of: recorder.progress(done=done, of=of),
        job.stop.asked)
    predictions = Predictions(path)
    found = summary.summarise(predictions, metrics, names, options, failures=failures)
    beside = {"subjects": by_subject(path, metrics), "judge": judge.load(results)}
    write_json(results / summary.NAME, found.plain() | {name: one for name, one in beside.items() if one})
    recorder.phase("reporting")
    report.write(results, found, predictions, report.of_run(job.folder.path, leaked), recorder.lang)
    foreign.write_older(path, names[-1], results)
    foreign.deliver(results)


def by_subject(path: Path, metrics: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """The scores of every subject of an exam with their intervals, by model; nothing where rows have none."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for one in read(path):
        for name in metrics:
            if one.subject and (value := one.scores.get(name)) is not None:
                values.setdefault((one.model, one.subject, name), []).append(value)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for (model, subject, name), scores in values.items():
        told = statistics.interval(np.array(scores)).plain()
        found.setdefault(model, {}).setdefault(subject, {})[name] = told
    return found


def arranged(path: Path, names: Sequence[str]) -> None:
    """Put the lines in the order of rows and models, so that the same answers always make the same file."""
    places: dict[tuple[int, int], tuple[int, int]] = {}
    order = {name: place for place, name in enumerate(names)}
    for start, raw in lines(path):
        line = parsed(raw)
        try:
            one = of_plain(line or {})
        except (KeyError, TypeError, ValueError):
            continue
        if one.model in order:
            places[one.row, order[one.model]] = (start, len(raw))
    aside = path.with_name(f".{path.name}")
    with open(path, "rb") as source, open(aside, "wb") as target:
        for key in sorted(places):
            start, size = places[key]
            source.seek(start)
            target.write(source.read(size) + b"\n")
        target.flush()
        os.fsync(target.fileno())
    os.replace(aside, path)
