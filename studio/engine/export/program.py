"""The course of an export: written aside, opened and compared with its source, described, then given its name.

A run that goes on after its files were all written begins with the acceptance; before that it begins anew.
"""

from __future__ import annotations

import time
from typing import Any

from studio.engine.export import acceptance
from studio.engine.job import Job
from studio.errors import StopAsked
from studio.exports import card, source
from studio.exports.forecast import room
from studio.exports.place import Place, manifest
from studio.exports.source import Source
from studio.exports.work import Work
from studio.plugins import exporters


def export(job: Job) -> None:
    """Make the form that the spec asks for and say what it is worth; raises StopAsked and what the parts raise."""
    spec, recorder, began = job.spec, job.recorder, time.monotonic()
    found = source.find(spec, job.workspace)
    place = Place.of(spec, job.folder, job.workspace)
    job.stop.stay()
    form = exporters.exporter(spec.export_to)
    work = _work(job, found, place)
    if not place.finished:
        if not place.written:
            _write(job, form, work, place)
        verdict = acceptance.accept(job, work)
        recorder.phase("describing")
        card.write(work, verdict)
        if hasattr(form, "pack"):
            recorder.phase("packing")
            form.pack(work)
        recorder.phase("checking")
        record = {"form": spec.export_to, "source": found.name, "run": found.run, "step": found.step,
                  "path": str(place.target), "files": manifest(place.aside, work.stay), "acceptance": verdict,
                  "seconds": round(time.monotonic() - began, 2)}
        place.finish({**record, "bytes": sum(one["bytes"] for one in record["files"])})
    if hasattr(form, "deliver"):
        recorder.phase("delivering")
        form.deliver(work)
    recorder.phase("finished")


def _work(job: Job, found: Source, place: Place) -> Work:
    recorder, began = job.recorder, time.monotonic()

    def tell(done: int, total: int, name: str) -> None:
        left = (time.monotonic() - began) * (total - done) / done if done else None
        recorder.progress(step=done, total=total, name=name, eta_seconds=left)

    def stay() -> None:
        if job.stop.asked():
            raise StopAsked(place.aside.name)

    return Work(job.spec, found, job.workspace, job.folder, place.aside, place.target, tell, stay, recorder.say,
                recorder.lang)


def _write(job: Job, form: Any, work: Work, place: Place) -> None:
    """The form's files, aside; what a failure or a stop leaves there is removed."""
    if hasattr(form, "needs"):
        form.needs()
    place.begin(room(form, work.source, work.spec))
    job.recorder.phase("exporting")
    try:
        form.write(work)
        work.stay()
        place.mark_written()
    except BaseException:
        if not place.written:
            place.discard()
        raise
