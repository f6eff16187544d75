"""What models find likely: right answers (loss, perplexity, bits), preferences, the options of questions.

Nothing is written by the model; what stands in front of several endings is computed once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from typing import Any

from studio.chats.lanes import Lane
from studio.data.chat import ChatTokenizer, Encoded
from studio.engine.evaluate import local
from studio.engine.evaluate.ledger import Ledger
from studio.engine.evaluate.local import Local
from studio.engine.job import Job
from studio.engine.server.speech import Spoken, Talk
from studio.engine.server.workers import Worker
from studio.errors import InputError, StudioError, WorkError
from studio.sample import Sample
from studio.scores.asked import Question, Questions
from studio.scores.exams import LETTERS
from studio.scores.predictions import Prediction
from studio.specs.evaluate import CHOICES

CHOICE, BY_TEXT, BY_LENGTH = "choice", "choice_text", "choice_text_normalised"
LOSS, PERPLEXITY, BITS = "loss", "perplexity", "bits_per_byte"
PREFERS, PREFERS_BY_TOKEN = "preference", "preference_normalised"
MEASURED = {CHOICES: (CHOICE, BY_TEXT, BY_LENGTH),
            "likelihood": (LOSS, PERPLEXITY, BITS, PREFERS, PREFERS_BY_TOKEN)}
_AT_ONCE = 16  # questions in a message; stopping waits for one of them
Weights = Sequence[Sequence[tuple[float | None, bool]]]


def metrics(spec: Any, found: Questions) -> tuple[str, ...]:
    """What is measured of these rows; raises InputError metric_needs for what the task or the rows cannot give."""
    has_pairs = any(one.sample.rejected for one in found.rows)
    if spec.task == CHOICES:
        fitting: tuple[str, ...] = MEASURED[CHOICES]
        usual: tuple[str, ...] = (CHOICE,)
        if not any(one.sample.choices for one in found.rows):
            raise InputError("metric_needs", metric=CHOICE, needs="@scores.needs.choices")
    else:
        fitting = MEASURED["likelihood"] if has_pairs else MEASURED["likelihood"][:3]
        usual = fitting
    wrong = next((name for name in spec.metrics if name not in fitting), None)
    if wrong is not None:
        raise InputError("metric_needs", metric=wrong, needs="@scores.needs.other_task")
    return tuple(spec.metrics) or usual


def weigh(job: Job, lanes: Sequence[Lane], found: Questions, names: Sequence[str], ledger: Ledger) -> None:
    """Have these lanes, which share a base, weigh what they have not weighed; raises StopAsked, WorkError."""
    spokens = {lane.name: local.spoken(job, lane) for lane in lanes}
    missing = [(lane, [one for one in chunk if not ledger.has(lane.name, one.number)])
               for chunk in _chunks(found.rows) for lane in lanes]
    left = [(lane, chunk) for lane, chunk in missing if chunk]
    if left:
        asyncio.run(_Weighing(job, lanes, ledger, left=left, spokens=spokens, names=tuple(names)).all())


def _chunks(rows: Sequence[Question]) -> Iterator[list[Question]]:
    """Rows that are asked together: of one subject, else of about one length."""
    has_subjects = any(one.subject for one in rows)
    ordered = rows if has_subjects else sorted(rows, key=lambda one: len(one.reference) + sum(
        len(message.content) for message in one.messages))
    for _, mine in groupby(ordered, key=lambda one: one.subject):
        while chunk := list(islice(mine, _AT_ONCE)):
            yield chunk


@dataclass(frozen=True)
class _Wish:
    """The items of one question, and how its weights become a prediction's answer, scores and parts."""

    items: list[dict[str, Any]]
    told: Callable[[Weights], dict[str, Any]]


@dataclass
class _Weighing(Local):
    """Questions weighed, a few of them in each message."""

    left: list[tuple[Lane, list[Question]]] = field(default_factory=list)
    spokens: Mapping[str, Spoken] = field(default_factory=dict)
    names: tuple[str, ...] = ()

    async def work(self, worker: Worker) -> None:
        """One message after the other."""
        for lane, chunk in self.left:
            wishes: list[tuple[Question, _Wish]] = []
            for question in chunk:
                try:
                    wishes.append(self._fitting(self.spokens[lane.name], question))
                except StudioError as error:
                    self.ledger.put(self.failure(lane, question, error))
            if wishes:
                await self._weighed(worker, lane, wishes)

    async def _weighed(self, worker: Worker, lane: Lane, wishes: Sequence[tuple[Question, _Wish]]) -> None:
        began = time.monotonic()
        found = iter(await worker.weigh(local.key(lane), [item for _, wish in wishes for item in wish.items]))
        each = (time.monotonic() - began) / len(wishes)
        for question, wish in wishes:
            weights = [next(found) for _ in wish.items]
            if any(value is None for ends in weights for value, _ in ends):
                self.ledger.put(self.failure(lane, question, WorkError("answer_no_numbers")))
                continue
            self.answered[lane.name] += 1
            tokens = sum(len(ids) for item in wish.items for ids in item["endings"])
            self.ledger.put(Prediction(lane.name, question.number, **wish.told(weights), prompt=question.prompt,
                                       reference=question.reference, choices=question.sample.choices, finish="stop",
                                       tokens=tokens, seconds=each, place=question.place, subject=question.subject))

    def _fitting(self, spoken: Spoken, question: Question) -> tuple[Question, _Wish]:
        """The question with as many of its examples as the context has room for."""
        while True:
            wish = self._of_choices(spoken, question) if self.job.spec.task == CHOICES \
                else self._of_text(spoken.chat, question)
            longest = max(len(item["prefix"]) + max(map(len, item["endings"])) for item in wish.items)
            if not self.context or longest <= self.context:
                return question, wish
            if not question.shots:
                raise InputError("prompt_too_long_for_context", length=longest, most=self.context)
            question = replace(question, shots=question.shots[2:])

    # ---- questions with options ----

    def _of_choices(self, spoken: Spoken, question: Question) -> _Wish:
        options = question.sample.choices
        if not options:
            raise InputError("metric_needs", metric=CHOICE, needs="@scores.needs.choices")
        letters = list(LETTERS[:len(options)])
        items = [_behind(spoken, Talk(question.messages), letters)]
        if set(self.names) & {BY_TEXT, BY_LENGTH}:
            *before, asked = question.messages
            bare = asked.content.partition(f"\n{letters[0]}. ")[0]
            items.append(_behind(spoken, Talk((*before, type(asked)(asked.role, bare))), list(options)))

        def told(weights: Weights) -> dict[str, Any]:
            answer = letters[_best([value or 0.0 for value, _ in weights[0]])]
            scores: dict[str, float | None] = {CHOICE: float(answer == question.reference)}
            if len(weights) > 1:
                sums = [value or 0.0 for value, _ in weights[1]]
                by_length = [value / max(1, len(text)) for value, text in zip(sums, options, strict=True)]
                scores[BY_TEXT] = float(letters[_best(sums)] == question.reference)
                scores[BY_LENGTH] = float(letters[_best(by_length)] == question.reference)
            return {"answer": answer, "scores": {name: scores[name] for name in self.names}}

        return _Wish(items, told)

    # ---- right answers ----

    def _of_text(self, chat: ChatTokenizer, question: Question) -> _Wish:
        sample = question.sample
        if sample.rejected:
            return self._of_pair(chat, sample)
        items = self._windows(chat, sample.text) if sample.text else _spans(_encoded(chat, sample))
        size = _bytes(chat, items)
        return _Wish(items, lambda weights: {"answer": question.reference, **self._figures(weights, items, size)})

    def _of_pair(self, chat: ChatTokenizer, sample: Sample) -> _Wish:
        both = chat.encode_pairs([sample])[0]
        if isinstance(both, str):
            raise InputError("questions_none", reason=f"@data.skipped.{both}")
        chosen, rejected = (_spans(one) for one in both)
        size = _bytes(chat, chosen)

        def told(weights: Weights) -> dict[str, Any]:
            good, bad = (_sum(part) for part in (weights[:len(chosen)], weights[len(chosen):]))
            lengths = [sum(len(one["endings"][0]) for one in part) for part in (chosen, rejected)]
            found = self._figures(weights[:len(chosen)], chosen, size)
            found["scores"] |= {PREFERS: float(good > bad),
                                PREFERS_BY_TOKEN: float(good / lengths[0] > bad / lengths[1])}
            found["scores"] = {name: found["scores"][name] for name in self.names}
            return {"answer": sample.messages[-1].content, **found}

        return _Wish([*chosen, *rejected], told)

    def _windows(self, chat: ChatTokenizer, text: str) -> list[dict[str, Any]]:
        """A plain text in pieces as long as the context; the first token of each is given."""
        ids = chat.encode_text(text)
        if chat.bos_id is not None and ids[:1] != [chat.bos_id]:
            ids = [chat.bos_id, *ids]
        size = self.context or len(ids)
        pieces = [ids[start:start + size] for start in range(0, max(1, len(ids) - 1), max(1, size - 1))]
        found = [{"prefix": one[:1], "endings": [one[1:]]} for one in pieces if len(one) > 1]
        if not found:
            raise InputError("questions_none", reason="@data.skipped.empty_answer")
        return found

    def _figures(self, weights: Weights, items: Sequence[Mapping[str, Any]], size: int) -> dict[str, Any]:
        """Scores of the row alone, and the pieces of those of all rows: nats, tokens, bytes."""
        from studio.plugins import plugin

        nats, tokens = -_sum(weights), sum(len(one["endings"][0]) for one in items)
        parts = (nats, float(tokens), float(size))
        mine = [name for name in (LOSS, PERPLEXITY, BITS) if name in self.names]
        return {"scores": {name: float(plugin("metrics", name).total(parts)) for name in mine},
                "parts": dict.fromkeys(mine, parts)}


def _behind(spoken: Spoken, talk: Talk, texts: Sequence[str]) -> dict[str, Any]:
    """The item of texts behind a prompt; each is spelled together with it where that leaves the prompt as it is."""
    prompt = spoken.prompt(talk)
    endings = []
    for text in texts:
        whole = spoken.chat.encode_text(prompt.text + text)
        begins = whole[:len(prompt.ids)] == prompt.ids and len(whole) > len(prompt.ids)
        endings.append(whole[len(prompt.ids):] if begins else spoken.chat.encode_text(text))
    if any(not one for one in endings):
        raise InputError("questions_none", reason="@data.skipped.no_choices")
    return {"prefix": prompt.ids, "endings": endings}


def _encoded(chat: ChatTokenizer, sample: Sample) -> Encoded:
    found = chat.encode(sample)
    if isinstance(found, str):
        raise InputError("questions_none", reason=f"@data.skipped.{found}")
    return found


def _spans(found: Encoded) -> list[dict[str, Any]]:
    """An item for every trained piece of a conversation: the very tokens that training's loss is made of."""
    ids = list(map(int, found.ids))
    return [{"prefix": ids[:start], "endings": [ids[start:end]]} for start, end in found.spans if 0 < start < end]


def _bytes(chat: ChatTokenizer, items: Sequence[Mapping[str, Any]]) -> int:
    return sum(len(chat.decode(one["endings"][0]).encode("utf-8", "replace")) for one in items)


def _sum(weights: Weights) -> float:
    return sum(value or 0.0 for ends in weights for value, _ in ends)


def _best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=lambda place: values[place])
