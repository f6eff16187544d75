"""The forgetting guard at work: its suite asked of everybody in an evaluation, or of a run that has just learned."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from studio.chats.lanes import BASE, Lane
from studio.engine.evaluate import answering, elsewhere, finishing
from studio.engine.evaluate.ledger import Ledger
from studio.engine.job import Job
from studio.errors import StopAsked, StudioError
from studio.records import read_json, write_json
from studio.runs.checkpoints import result
from studio.scores import guard, models
from studio.scores.asked import Questions
from studio.scores.predictions import NAME, read, spelled
from studio.specs import evaluate
from studio.specs.rules import has_evaluation

OF = "of.json"
MOST_ROWS = 200  # of the rows held out: enough to tell what was gained


def ask(job: Job, everybody: Sequence[Any]) -> None:
    """Ask the suite of everybody, greedily, and write guard.json; raises what asking raises."""
    items = guard.suite(job.workspace)
    job.recorder.say("guard", count=len(items))
    folder, names = job.folder.results / guard.FOLDER, [one.name for one in everybody]
    most = min(job.spec.max_new_tokens, guard.MOST_TOKENS)
    asking = replace(job, spec=job.spec.model_copy(update={"max_new_tokens": most, "temperature": 0.0,
                                                           "num_beams": 1}))
    found = guard.questions(items)
    with Ledger(folder, names, len(items), job.recorder, job.spec.eval_batch_size) as ledger:
        job.recorder.phase("answering", step=ledger.done, total=ledger.total, eta_seconds=None)
        put_to(asking, everybody, found, ledger)
    scored = guard.scored(items, read(folder / NAME))
    (folder / NAME).write_bytes(b"".join(map(spelled, scored)))
    guard.write(job.folder.results, guard.summarise(items, scored, names))


def evaluate_alone(job: Job, everybody: Sequence[Any]) -> None:
    """Ask the suite and nothing else: its answers are the evaluation's rows, its right ones their score."""
    ask(job, everybody)
    results, names = job.folder.results, [one.name for one in everybody]
    shutil.copyfile(results / guard.FOLDER / NAME, results / NAME)
    finishing.finish(job, names, (guard.RIGHT,), None, scored=True)
    total = len(names) * len(guard.suite(job.workspace))
    job.recorder.phase("finished", step=total, total=total)


def put_to(job: Job, everybody: Sequence[Any], found: Questions, ledger: Ledger) -> None:
    """Ask these questions of everybody, those who share a base together."""
    for group in models.groups(list(everybody)):
        if isinstance(group[0], Lane):
            answering.ask(job, [one for one in group if isinstance(one, Lane)], found, ledger)
        else:
            elsewhere.ask(job, group[0], found, ledger)


class _Beside:
    """A run's recorder while something is asked of the run: its own steps stay as they are."""

    def __init__(self, recorder: Any) -> None:
        self._recorder = recorder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._recorder, name)

    def phase(self, phase: str, **more: Any) -> None:
        """Enter a phase."""
        self._recorder.phase(phase, **_without_steps(more))

    def progress(self, **more: Any) -> None:
        """New figures of the phase."""
        self._recorder.progress(**_without_steps(more))


def _without_steps(more: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in more.items() if name not in ("step", "total")}


def after_training(job: Job) -> None:
    """Ask a run that has finished, beside its base, what it held out and the suite; results/ of the run tells both.

    What goes wrong is said and does no harm to the run. Raises StopAsked.
    """
    from studio.engine.evaluate import program

    trained = job.spec
    try:
        spec = models.resolved(evaluate.check({
            "eval_run": job.folder.name, "eval_models": [BASE, job.folder.name], "guard": True, "seed": trained.seed,
            "max_new_tokens": guard.MOST_TOKENS, "cpu_threads": trained.cpu_threads, "devices": trained.devices,
            "quantization_bit": trained.quantization_bit, "template": trained.template,
            "default_system": trained.default_system, "max_samples": MOST_ROWS}), job.workspace)
        asking = replace(job, spec=spec, recorder=_Beside(job.recorder))  # type: ignore[arg-type]
        _fresh(job)
        if has_evaluation(trained):
            program.evaluate(asking)
        else:
            ask(asking, models.asked(spec, job.workspace))
    except StopAsked:
        raise
    except StudioError as error:
        job.recorder.say("guard_failed", code=error.code)
    finally:
        job.recorder.progress(done=None, of=None)
    job.recorder.phase("finished")


def _fresh(job: Job) -> None:
    """Begin anew when the run has learned on since it was asked."""
    found = result(job.folder)
    now = {"checkpoint": found.path.name if found else None, "loss": found.loss if found else None}
    if read_json(job.folder.results / OF) != now:
        shutil.rmtree(job.folder.results, ignore_errors=True)
        job.folder.results.mkdir(parents=True)
        write_json(job.folder.results / OF, now)
