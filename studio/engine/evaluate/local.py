"""Local: one process with a base and every adapter on it, asked until nothing is left or somebody stops it."""

from __future__ import annotations

import asyncio
import contextlib
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.chats.lanes import Lane
from studio.engine.evaluate.ledger import Ledger
from studio.engine.job import Job
from studio.engine.server.speech import Spoken
from studio.engine.server.workers import Worker
from studio.errors import StopAsked, StudioError
from studio.scores.asked import Question
from studio.scores.predictions import Prediction

ERROR = "error"
_LOOK_SECONDS = 0.2
_HOPELESS = 16  # a model whose first answers all fail is broken
_FATAL = ("engine_ended",)


@dataclass
class Local(ABC):
    """One base's process being asked; `work` is what a kind of asking does once everybody is loaded."""

    job: Job
    lanes: Sequence[Lane]
    ledger: Ledger
    failed: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    context: int = 0

    async def all(self) -> None:
        """Load, ask everything, leave; raises StopAsked soon after a stop was asked."""
        worker = Worker(_config(self.job.spec, self.lanes[0]))
        work = asyncio.create_task(self._through(worker))
        stop = asyncio.create_task(self._asked_to_stop())
        try:
            await worker.start()
            await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise StopAsked("answering")
            await work
        finally:
            for task in (work, stop):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, StudioError):
                    await task
            await worker.end()

    @abstractmethod
    async def work(self, worker: Worker) -> None:
        """Ask everything that is left."""

    async def _asked_to_stop(self) -> None:
        while not self.job.stop.asked():
            await asyncio.sleep(_LOOK_SECONDS)

    async def _through(self, worker: Worker) -> None:
        facts = await worker.ready
        self.context = int(facts.get("context") or 0)
        for lane in self.lanes:
            if lane.adapter is not None:
                await worker.load(lane.name, lane.adapter, lane.kind)
        with self.ledger.asking():
            await self.work(worker)

    def failure(self, lane: Lane, question: Question, error: StudioError) -> Prediction:
        """A row that could not be answered: an empty answer that says so; raises when nothing works at all."""
        self.failed[lane.name] += 1
        if error.code in _FATAL or (self.failed[lane.name] >= _HOPELESS and not self.answered[lane.name]):
            raise error
        if self.failed[lane.name] == 1:
            self.job.recorder.say("unanswered", model=lane.name, row=question.number, code=error.code)
        return Prediction(lane.name, question.number, "", question.reference, question.prompt,
                          question.sample.choices, finish=ERROR, place=question.place, subject=question.subject)


def spoken(job: Job, lane: Lane) -> Spoken:
    """How a lane is spoken to: with the template of the spec, else the one that it was trained with."""
    spec = job.spec
    return Spoken.load(lane.base, spec.template or lane.template, spec.default_system or lane.default_system,
                       job.workspace)


def key(lane: Lane) -> str:
    """What the process calls a lane; "" is the base."""
    return lane.name if lane.adapter is not None else ""


def _config(spec: Any, lane: Lane) -> dict[str, Any]:
    """How the base's process is started."""
    return {"base": str(Path(lane.base)), "name": lane.base_name, "compute_type": spec.compute_type,
            "quantization_bit": spec.quantization_bit, "cpu_threads": spec.cpu_threads,
            "max_lanes": max(spec.eval_batch_size, spec.num_beams), "context": spec.context, "cache_bytes": 0}
