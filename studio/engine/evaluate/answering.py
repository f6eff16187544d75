"""Models on this machine answer: one process holds the base, every adapter on it answers in the same batches.

Rows go in the order of their length, longest first; a row that has ended makes room for the next one at once. What is
drawn by chance depends on the seed, the row and nothing else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from studio.chats.lanes import Lane
from studio.data.spoken import CALL, THINKING, WORDS
from studio.engine.evaluate import local
from studio.engine.evaluate.ledger import Ledger
from studio.engine.evaluate.local import Local
from studio.engine.job import Job
from studio.engine.server.speech import Prompt, Spoken, Talk
from studio.engine.server.workers import Answer, Worker, failure
from studio.errors import InputError, StudioError
from studio.sample import Message
from studio.scores.asked import Question, Questions, spelled
from studio.scores.predictions import Prediction

STOP = "stop"
_AHEAD = 1.25  # as many are asked as there are places, and some who wait for the next free one
_ENDINGS = {"stop_text": STOP, "cancelled": STOP}


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
    spokens = [local.spoken(job, lane) for lane in lanes]
    left = [(lane, spoken, question) for question in _in_order(found.rows)
            for lane, spoken in zip(lanes, spokens, strict=True) if not ledger.has(lane.name, question.number)]
    if left:
        asyncio.run(_Answering(job, lanes, ledger, left=iter(left)).all())


def _in_order(rows: Sequence[Question]) -> list[Question]:
    """The rows, longest first."""
    return sorted(rows, key=lambda one: -sum(len(message.content) for message in one.messages))


@dataclass
class _Answering(Local):
    """Answers written one token after the other, as many rows side by side as there are places."""

    left: Iterator[tuple[Lane, Spoken, Question]] = field(default_factory=lambda: iter(()))
    under_way: int = 0

    async def work(self, worker: Worker) -> None:
        """Keep as many answers under way as there are places."""
        count = max(2, int(self.job.spec.eval_batch_size * _AHEAD))
        tasks = [asyncio.create_task(self._one_after_the_other(worker)) for _ in range(count)]
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def _one_after_the_other(self, worker: Worker) -> None:
        for lane, spoken, question in self.left:
            self.under_way += 1
            try:
                prediction = await self._answered(worker, lane, spoken, question)
            except StudioError as error:
                prediction = self.failure(lane, question, error)
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
            place=question.place, subject=question.subject)

    def _message(self, lane: Lane, spoken: Spoken, question: Question, prompt: Prompt) -> dict[str, Any]:
        """What the worker is asked; raises InputError prompt_too_long_for_context."""
        spec, length = self.job.spec, len(prompt.ids)
        if self.context and length + 1 > self.context:
            raise InputError("prompt_too_long_for_context", length=length, most=self.context)
        most = min(spec.max_new_tokens, self.context - length) if self.context else spec.max_new_tokens
        sampling = {name: getattr(spec, name) for name in (
            "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "presence_penalty", "frequency_penalty")}
        seed = (spec.seed * 1_000_003 + question.number) % 2**31
        return {"lane": local.key(lane), "ids": prompt.ids, "max_tokens": most,
                "sampling": {**sampling, "seed": seed}, "end_ids": list(spoken.chat.eos_ids),
                "num_beams": spec.num_beams, "skip_special": spoken.skips_special}


def _heard(spoken: Spoken, prompt: Prompt, text: str) -> tuple[str, str]:
    """(words with calls as JSON, thinking) of what a model said."""
    listener = spoken.listen(prompt)
    pieces = [*listener.push(text), *listener.flush()]
    words = "".join(one.text for one in pieces if one.kind == WORDS)
    calls = tuple(one.call for one in pieces if one.kind == CALL and one.call is not None)
    thinking = "".join(one.text for one in pieces if one.kind == THINKING)
    return spelled(Message("assistant", words, calls)), thinking

