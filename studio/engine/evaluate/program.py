"""The course of an evaluation: rows, answers, scores, report; whatever ends it, what was answered is kept.

A run that goes on asks only what no line of predictions.jsonl answers yet; the scores are made of the whole file.
"""

from __future__ import annotations

import hashlib
import json
import time
from typing import Any

from studio.chats.lanes import Lane
from studio.engine.evaluate import finishing, guarding, harness, judgement, likelihood
from studio.engine.evaluate.ledger import Ledger
from studio.engine.job import Job
from studio.errors import InputError, StopAsked, StudioError
from studio.records import read_json, write_json
from studio.scores import asked, guard, leaks, models, scoring
from studio.scores.asked import Questions
from studio.scores.leaks import Leaks
from studio.specs.evaluate import GENERATION, HARNESS

ASKED = "asked.json"


def evaluate(job: Job) -> None:
    """Ask everybody everything, score and report; raises StopAsked and what the parts raise."""
    spec, recorder = job.spec, job.recorder
    everybody = models.asked(spec, job.workspace)
    if spec.task == HARNESS:
        harness.evaluate(job, everybody)
        return
    if guard.alone(spec, job.workspace):
        guarding.evaluate_alone(job, everybody)
        return
    recorder.phase("tokenising")
    found = asked.questions(spec, job.workspace, lambda done, of: recorder.progress(done=done, of=of), job.stop.asked)
    metrics = _metrics(spec, found)
    _same_questions(job, found)
    recorder.say("questions", rows=len(found.rows), models=len(everybody), skipped=found.skipped.total)
    leaked = _leaks(job, found)
    job.stop.stay()
    names = [one.name for one in everybody]
    with Ledger(job.folder.results, names, len(found.rows), recorder, spec.eval_batch_size) as ledger:
        recorder.phase("answering", step=ledger.done, total=ledger.total, eta_seconds=None)
        if spec.task == GENERATION:
            guarding.put_to(job, everybody, found, ledger)
        else:
            for group in models.groups(everybody):
                lanes = [one for one in group if isinstance(one, Lane)]
                likelihood.weigh(job, lanes, found, metrics, ledger)
    if spec.guard:
        guarding.ask(job, everybody)
    if spec.judge and spec.task == GENERATION:
        judgement.ask(job, names)
    finishing.finish(job, names, metrics, leaked, scored=spec.task != GENERATION)
    recorder.phase("finished", step=ledger.total, total=ledger.total)


def _metrics(spec: Any, found: Questions) -> tuple[str, ...]:
    """The metrics of the spec, else those that fit the rows; raises InputError metric_needs for one that does not."""
    if spec.task != GENERATION:
        return likelihood.metrics(spec, found)
    names = tuple(spec.metrics) or scoring.suggested(
        [one.reference for one in found.rows], bool(asked.CHOICES in found.brings))
    there = (*found.brings, *(("schema",) if spec.json_valid_schema else ()))
    for name, needs in scoring.unfit(names, there).items():
        raise InputError("metric_needs", metric=name, needs=f"@scores.needs.{needs[0]}")
    return names


def _same_questions(job: Job, found: Questions) -> None:
    """Raise InputError questions_changed when the run began with other rows than the data gives now."""
    digest = hashlib.sha256()
    for one in found.rows:
        digest.update(json.dumps([one.prompt, one.reference], ensure_ascii=False).encode("utf-8", "replace"))
    path, now = job.folder.results / ASKED, {"hash": digest.hexdigest(), "rows": len(found.rows)}
    before = read_json(path)
    if before is None:
        job.folder.results.mkdir(exist_ok=True)
        write_json(path, now)
    elif before != now:
        raise InputError("questions_changed", rows=len(found.rows), before=before.get("rows"))


def _leaks(job: Job, found: Questions) -> Leaks | None:
    """The rows that stand in the training set, said; None where it is not known what was trained on."""
    if found.trained is None:
        return None
    job.recorder.phase("comparing")
    began = time.monotonic()
    try:
        told = leaks.leaks(((one.number, one.sample) for one in found.rows), found.trained(), job.stop.asked)
    except StopAsked:
        raise
    except StudioError as error:  # training data that is gone must not hinder asking
        job.recorder.say("leaks_unknown", reason=error.code)
        return None
    job.folder.results.mkdir(exist_ok=True)
    write_json(job.folder.results / "leaks.json", {"exact": list(told.exact), "near": list(told.near),
                                                   "rows": told.rows, "seconds": round(time.monotonic() - began, 2)})
    if told.count:
        job.recorder.say("leaked", count=told.count, rows=told.rows, exact=len(told.exact), near=len(told.near))
    return told
