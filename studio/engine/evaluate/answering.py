"""Models on this machine answer: one process holds the base, every adapter on it answers in the same batches.

Rows go in the order of their length, longest first; a row that has ended makes room for the next one at once. What is
drawn by chance depends on the seed, the row and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.chats.lanes import Lane
from studio.data.spoken import CALL, THINKING, WORDS
from studio.engine.evaluate.ledger import Ledger
from studio.engine.job import Job
from studio.engine.server.speech import Prompt, Spoken, Talk
from studio.engine.server.workers import Answer, Worker, failure
from studio.errors import InputError, StopAsked, StudioError
from studio.sample import Message
from studio.scores.asked import Question, Questions, spelled
from studio.scores.predictions import Prediction

STOP, LENGTH, ERROR = "stop", "length", "error"
_LOOK_SECONDS = 0.2
_AHEAD = 1.25  # as many are asked as there are places, and some who wait for the next free one
_HOPELESS = 16  # a model whose first answers all fail is broken
_ENDINGS = {"stop_text": STOP, "cancelled": STOP}
_FATAL = ("engine_ended",)


class Said(Answer):
    """One answer as it is heard; `whole` is done when it has ended."""

    __slots__ = ("_text", "whole")

    def __init__(self, number: int, choices: int) -> None:
        super().__init__(number, choices)
        self._text: list[str] = []
        self.whole: asyncio.Future[tuple[str, dict[str, Any]]] = asyncio.get_running_loop().create_future()

    def put(self, event: list[Any] | dict[str, Any]) -> None:
        """Hear one event."""
        if isinstance(event, list):
            self._text.append(event[3])
        elif self.whole.done():
            return
        elif "done" in event:
            self.whole.set_result(("".join(self._text), event["done"]))
        elif "error" in event:
            self.whole.set_exception(failure(event["error"]))


def ask(job: Job, lanes: Sequence[Lane], found: Questions, ledger: Ledger) -> None:
    """Have these lanes, which share a base, answer what they have not answered; raises StopAsked, WorkError."""
    spokens = [_spoken(job, lane) for lane in lanes]
    left = [(lane, spoken, question) for question in _in_order(found.rows)
            for lane, spoken in zip(lanes, spokens, strict=True) if not ledger.has(lane.name, question.number)]
    if left:
        asyncio.run(_Asking(job, lanes, ledger).all(left))


def _spoken(job: Job, lane: Lane) -> Spoken:
    spec = job.spec
    return Spoken.load(lane.base, spec.template or lane.template, spec.default_system or lane.default_system,
                       job.workspace)


def _in_order(rows: Sequence[Question]) -> list[Question]:
    """The rows, longest first."""
    return sorted(rows, key=lambda one: -sum(len(message.content) for message in one.messages))


Item = tuple[Lane, Spoken, Question]


@dataclass
class _Asking:
    """One base's process being asked."""

    job: Job
    lanes: Sequence[Lane]
    ledger: Ledger
    failed: Counter[str] = field(default_factory=Counter)
    answered: Counter[str] = field(default_factory=Counter)
    under_way: int = 0
    context: int = 0

    async def all(self, items: Sequence[Item]) -> None:
        """Load, ask everything, leave; raises StopAsked soon after a stop was asked."""
        spec = self.job.spec
        worker = Worker(_config(spec, self.lanes[0]))
        work = asyncio.create_task(self._through(worker, iter(items)))
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

    async def _asked_to_stop(self) -> None:
        while not self.job.stop.asked():
            await asyncio.sleep(_LOOK_SECONDS)

    async def _through(self, worker: Worker, items: Iterator[Item]) -> None:
        """Load everybody and keep as many answers under way as there are places."""
        facts = await worker.ready
        self.context = int(facts.get("context") or 0)
        for lane in self.lanes:
            if lane.adapter is not None:
                await worker.load(lane.name, lane.adapter, lane.kind)
        count = max(2, int(self.job.spec.eval_batch_size * _AHEAD))
        tasks = [asyncio.create_task(self._one_after_the_other(worker, items)) for _ in range(count)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _one_after_the_other(self, worker: Worker, items: Iterator[Item]) -> None:
        for lane, spoken, question in items:
            self.under_way += 1
            try:
                prediction = await self._answered(worker, lane, spoken, question)
            except StudioError as error:
                prediction = self._failed(lane, question, error)
            finally:
                self.under_way -= 1
            self.ledger.put(prediction)

    async def _answered(self, worker: Worker, lane: Lane, spoken: Spoken, question: Question) -> Prediction:
        prompt = spoken.prompt(Talk(question.messages, question.sample.tools))
        message = self._message(lane, spoken, question, prompt)
        began = time.monotonic()
        said = worker.ask(message, 1, Said)
        assert isinstance(said, Said)
        try:
            text, done = await said.whole
        finally:
            worker.leave(said)
        self.answered[lane.name] += 1
        words, thinking = _heard(spoken, prompt, text)
        reason = str(done["reason"])
        return Prediction(
            lane.name, question.number, words, question.reference, question.prompt, question.sample.choices, thinking,
            _ENDINGS.get(reason, reason), int(done["tokens"]), (time.monotonic() - began) / max(1, self.under_way),
            place=question.place)

    def _message(self, lane: Lane, spoken: Spoken, question: Question, prompt: Prompt) -> dict[str, Any]:
        """What the worker is asked; raises InputError prompt_too_long_for_context."""
        spec, length = self.job.spec, len(prompt.ids)
        if self.context and length + 1 > self.context:
            raise InputError("prompt_too_long_for_context", length=length, most=self.context)
        most = min(spec.max_new_tokens, self.context - length) if self.context else spec.max_new_tokens
        sampling = {name: getattr(spec, name) for name in (
            "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")}
        seed = (spec.seed * 1_000_003 + question.number) % 2**31
        return {"lane": lane.name if lane.adapter is not None else "", "ids": prompt.ids, "max_tokens": most,
                "sampling": {**sampling, "seed": seed}, "end_ids": list(spoken.chat.eos_ids),
                "num_beams": spec.num_beams, "skip_special": spoken.skips_special}

    def _failed(self, lane: Lane, question: Question, error: StudioError) -> Prediction:
        """A row that could not be answered: an empty answer that says so; raises when nothing works at all."""
        self.failed[lane.name] += 1
        if error.code in _FATAL or (self.failed[lane.name] >= _HOPELESS and not self.answered[lane.name]):
            raise error
        if self.failed[lane.name] == 1:
            self.job.recorder.say("unanswered", model=lane.name, row=question.number, code=error.code)
        return Prediction(lane.name, question.number, "", question.reference, question.prompt,
                          question.sample.choices, finish=ERROR, place=question.place)


def _config(spec: Any, lane: Lane) -> dict[str, Any]:
    """How the base's process is started."""
    return {"base": str(Path(lane.base)), "name": lane.base_name, "compute_type": spec.compute_type,
            "quantization_bit": spec.quantization_bit, "cpu_threads": spec.cpu_threads,
            "max_lanes": max(spec.eval_batch_size, spec.num_beams), "context": spec.context, "cache_bytes": 0}


def _heard(spoken: Spoken, prompt: Prompt, text: str) -> tuple[str, str]:
    """(words with calls as JSON, thinking) of what a model said."""
    listener = spoken.listen(prompt)
    pieces = [*listener.push(text), *listener.flush()]
    words = "".join(one.text for one in pieces if one.kind == WORDS)
    calls = tuple(one.call for one in pieces if one.kind == CALL and one.call is not None)
    thinking = "".join(one.text for one in pieces if one.kind == THINKING)
    return spelled(Message("assistant", words, calls)), thinking

