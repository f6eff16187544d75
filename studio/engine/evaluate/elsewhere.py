"""Models behind an address answer, several questions at a time; where a server cannot answer, an answer is missing."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from studio.chats import client
from studio.chats.client import Address
from studio.engine.evaluate.ledger import Ledger
from studio.engine.job import Job
from studio.errors import StopAsked, StudioError
from studio.scores.asked import Question, Questions
from studio.scores.models import Elsewhere
from studio.scores.predictions import Prediction

KEY = "OPENAI_API_KEY"
MOST_AT_ONCE = 8
ERROR = "error"
_HOPELESS = 8
_LOOK_SECONDS = 0.2


@dataclass
class _Heard:
    """One answer as it streams in."""

    words: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    finish: str = ""
    tokens: int = 0

    def take(self, chunk: Mapping[str, Any]) -> None:
        """Take in one object of the stream."""
        usage = chunk.get("usage")
        if isinstance(usage, dict):
            self.tokens = int(usage.get("completion_tokens") or 0)
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            self.words.append(delta.get("content") or "")
            self.thinking.append(delta.get("reasoning_content") or delta.get("reasoning") or "")
            self.finish = choice.get("finish_reason") or self.finish


def ask(job: Job, model: Any, found: Questions, ledger: Ledger) -> None:
    """Have a model elsewhere answer what it has not answered; raises StopAsked, and WorkError when nothing works."""
    left = [one for one in found.rows if not ledger.has(model.name, one.number)]
    failed, answered = 0, 0
    over = threading.Event()
    with ledger.asking(), ThreadPoolExecutor(min(MOST_AT_ONCE, job.spec.eval_batch_size)) as pool:
        waiting = {pool.submit(_answer, job, model, one, over): one for one in left}
        try:
            while waiting:
                done, _ = wait(waiting, _LOOK_SECONDS, FIRST_COMPLETED)
                if job.stop.asked():
                    raise StopAsked("answering")
                for one in done:
                    question = waiting.pop(one)
                    try:
                        ledger.put(one.result())
                        answered += 1
                    except StudioError as error:
                        failed += 1
                        if failed >= _HOPELESS and not answered:
                            raise
                        job.recorder.say("unanswered", model=model.name, row=question.number, code=error.code)
        finally:
            over.set()
            pool.shutdown(wait=True, cancel_futures=True)


def _answer(job: Job, model: Elsewhere, question: Question, over: threading.Event) -> Prediction:
    began, heard = time.monotonic(), _Heard()
    spec = job.spec
    turns = [{"role": one["role"], "content": one["content"]} for one in question.prompt]
    body = {"model": model.model, "messages": turns, "max_tokens": spec.max_new_tokens, "stream": True,
            "temperature": spec.temperature, "top_p": spec.top_p, "seed": (spec.seed + question.number) % 2**31,
            "stream_options": {"include_usage": True}}
    client.stream(Address(model.url, os.environ.get(KEY, "")), body, heard.take, over.is_set)
    finish = "length" if heard.finish == "length" else "stop"
    return Prediction(model.name, question.number, "".join(heard.words), question.reference, question.prompt,
                      question.sample.choices, "".join(heard.thinking), finish, heard.tokens,
                      time.monotonic() - began, place=question.place)
