"""Tasks of the lm-evaluation-harness through our own engine: it asks a server on loopback, its numbers become results.

Each model is asked by a process of the harness; one that has been asked is not asked again when the run goes on.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from studio.chats import client
from studio.chats.client import Address
from studio.chats.engine import Engine
from studio.chats.lanes import BASE, Lane
from studio.data.model import inspect
from studio.engine.evaluate import finishing
from studio.engine.evaluate.ledger import Ledger
from studio.engine.job import Job
from studio.errors import StopAsked, WorkError
from studio.records import read_json, write_json
from studio.scores import harness, models
from studio.scores.predictions import NAME
from studio.scores.summary import NAME as SCORES

DONE, LOG = "done", "harness.log"
_LOOK_SECONDS, _LEAVE_SECONDS = 0.2, 5.0
_LAST_CHARACTERS = 300
_USUAL_CONTEXT = 2048


def evaluate(job: Job, everybody: Sequence[Any]) -> None:
    """Have the harness ask everybody and write every result; raises StopAsked, InputError and WorkError harness_*."""
    lanes = [one for one in everybody if isinstance(one, Lane)]
    names, room = [one.name for one in lanes], job.folder.results / harness.FOLDER
    room.mkdir(parents=True, exist_ok=True)
    folders = {one.name: room / str(place) for place, one in enumerate(lanes)}
    job.stop.stay()
    job.recorder.phase("answering", step=0, total=len(lanes))
    for group in models.groups(list(lanes)):
        mine = [one for one in group if isinstance(one, Lane)]
        left = [one for one in mine if not (folders[one.name] / DONE).exists()]
        if left:
            with _engine(job, mine) as address:
                for one in left:
                    _ask(job, address, one, folders[one.name])
                    job.recorder.progress(step=sum((folder / DONE).exists() for folder in folders.values()))
    (job.folder.results / NAME).unlink(missing_ok=True)
    with Ledger(job.folder.results, names, 0, job.recorder) as ledger:
        for one in lanes:
            for prediction in harness.predictions(folders[one.name], one.name):
                ledger.put(prediction)
        answers = ledger.done
    finishing.finish(job, names, harness.metrics(folders[names[0]]), None, scored=True)
    path = job.folder.results / SCORES
    write_json(path, {**(read_json(path) or {}),
                      harness.NUMBERS: {name: harness.numbers(folder) for name, folder in folders.items()}})
    job.recorder.phase("finished", step=answers, total=answers)


@contextlib.contextmanager
def _engine(job: Job, lanes: Sequence[Lane]) -> Iterator[Address]:
    """Our server with these lanes, on loopback, opened by a key that nobody else knows."""
    spec = job.spec
    server = Engine(job.workspace, job.recorder.lang, models=[_base(lanes[0]), *(
        one.name for one in lanes if one.name != BASE)], compute_type=spec.compute_type, context=spec.context,
        quantization_bit=spec.quantization_bit, cpu_threads=spec.cpu_threads, max_lanes=spec.eval_batch_size)
    try:
        yield server.address()
    finally:
        server.stop()


def _base(lane: Lane) -> str:
    return str(lane.base)


def _ask(job: Job, address: Address, lane: Lane, folder: Path) -> None:
    """One process of the harness from beginning to end; raises StopAsked, WorkError harness_failed."""
    client.load(address, lane.name, force=True)
    model = {"model": lane.name, "base_url": f"{address.api}/completions", "tokenizer_backend": "huggingface",
             "tokenizer": str(lane.base), "tokenized_requests": True,
             "max_length": job.spec.context or inspect(lane.base).context or _USUAL_CONTEXT}
    shutil.rmtree(folder, ignore_errors=True)  # what an interrupted process left
    folder.mkdir()
    with open(folder / LOG, "wb") as log:
        process = subprocess.Popen(harness.command(job.spec, model, folder), stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, env=harness.environment(address.key), cwd=folder)
        try:
            while process.poll() is None:
                if job.stop.asked():
                    raise StopAsked("answering")
                time.sleep(_LOOK_SECONDS)
        finally:
            _end(process)
    if process.returncode:
        raise WorkError("harness_failed", model=lane.name, path=str(folder / LOG), reason=_last(folder / LOG))
    harness.numbers(folder)
    (folder / DONE).touch()


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(_LEAVE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _last(log: Path) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "–")[-_LAST_CHARACTERS:]
