"""A metric while training: the model answers a few held-out rows at each evaluation, greedily, and is scored.

The question of a row is what stands before its last answer, the reference that answer: both are read from the token
rows, so that what is asked is to the token what was taught.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from studio.data.chat import ChatTokenizer
from studio.engine.batching import IGNORED, Batch
from studio.engine.job import Job
from studio.engine.network import Network
from studio.errors import InputError, StopAsked
from studio.scores import scoring
from studio.scores.predictions import Prediction


@dataclass(frozen=True)
class Asked:
    """A held-out row as question and answer."""

    ids: tuple[int, ...]
    question: str
    reference: str


@dataclass
class Measure:
    """The metric of a run; `of` is called once before training, `value` at each evaluation on every rank."""

    job: Job
    chat: ChatTokenizer
    name: str
    rows: list[Asked]

    @classmethod
    def of(cls, job: Job, held_out: Any) -> Measure:
        """The measure that the spec asks for; raises InputError eval_metric_rowless."""
        spec = job.spec
        chat = ChatTokenizer.load(str(job.model_folder), spec.template, spec.default_system, job.workspace)
        count = min(spec.eval_metric_rows, len(held_out))
        places = np.unique(np.linspace(0, len(held_out) - 1, count).astype(int)) if count else []
        rows = [one for place in places if (one := _asked(chat, *held_out.row(int(place)))) is not None]
        if not rows:
            raise InputError("eval_metric_rowless", name=spec.eval_metric)
        return cls(job, chat, scoring.named(spec.eval_metric), sorted(rows, key=lambda one: len(one.ids)))

    @property
    def higher(self) -> bool:
        """Whether more is better."""
        return scoring.metric(self.name).HIGHER is not False

    def rank(self, value: float | None) -> float:
        """The value as something of which less is better; of none infinitely much."""
        return math.inf if value is None else 0.0 - value if self.higher else value

    def value(self, network: Network) -> float | None:
        """The metric now; None when it applies to no row. Rank 0 asks, all hear; raises StopAsked."""
        answers: list[str] | None = None
        if self.job.ranks.first:
            answers = self._answers(network)
        answers = self.job.ranks.tell(answers)
        if answers is None:
            raise StopAsked("evaluating")
        return self._scored(answers)

    def _answers(self, network: Network) -> list[str] | None:
        """What the model says to every row; None when a stop was asked meanwhile."""
        said: list[str] = []
        size = self.job.spec.per_device_eval_batch_size
        network.model.eval()
        try:
            with torch.no_grad(), _whole_attention(network), network.numbers.autocast():
                for start in range(0, len(self.rows), size):
                    part = self.rows[start:start + size]
                    said += [self._decoded(ids) for ids in _generated(self, network, part)]
                    if self.job.stop.asked():
                        return None
                    self.job.recorder.progress(done=len(said), of=len(self.rows))
        finally:
            network.model.train()
        return said

    def _decoded(self, ids: list[int]) -> str:
        end = next((place for place, one in enumerate(ids) if one in self.chat.eos_ids), len(ids))
        return self.chat.decode(ids[:end]).strip()

    def _scored(self, answers: list[str]) -> float | None:
        module = scoring.metric(self.name)
        scorer = scoring.Scorer([self.name])
        lines = [scorer.scored(Prediction(self.name, row, answer, one.reference,
                                          ({"role": "user", "content": one.question},)))
                 for row, (answer, one) in enumerate(zip(answers, self.rows, strict=True))]
        if hasattr(module, "parts"):
            parts = [part for line in lines if (part := line.parts.get(self.name)) is not None]
            return _finite(module.total(tuple(map(sum, zip(*parts, strict=True))), {})) if parts else None
        if hasattr(module, "score"):
            values = [value for line in lines if (value := line.scores.get(self.name)) is not None]
            return _finite(sum(values) / len(values)) if values else None
        return _finite(module.whole(answers, [one.reference for one in self.rows], {}))


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _asked(chat: ChatTokenizer, ids: np.ndarray, labels: np.ndarray) -> Asked | None:
    """The last labelled run of a row as its answer; None for a row that is labelled from its beginning."""
    labelled = np.flatnonzero(labels != IGNORED)
    if not len(labelled):
        return None
    end = int(labelled[-1]) + 1
    gaps = np.flatnonzero(labels[:end] == IGNORED)
    start = int(gaps[-1]) + 1 if len(gaps) else 0
    reference = chat.decode(ids[start:end].tolist()).strip()
    if not start or not reference:
        return None
    return Asked(tuple(ids[:start].tolist()), chat.decode(ids[:start].tolist()), reference)


@contextmanager
def _whole_attention(network: Network) -> Iterator[None]:
    """The model's ordinary attention while it answers: the one of flattened rows knows no cache."""
    config = network.model.config
    own = config._attn_implementation
    if network.flat:
        config._attn_implementation = "sdpa" if getattr(network.model, "_supports_sdpa", False) else "eager"
    try:
        yield
    finally:
        config._attn_implementation = own


def _generated(measure: Measure, network: Network, rows: list[Asked]) -> list[list[int]]:
    """The likeliest tokens after each row's question."""
    context = getattr(network.model.config, "max_position_embeddings", None) or 1 << 30
    longest = max(len(one.ids) for one in rows)
    most = max(1, min(measure.job.spec.eval_metric_tokens, context - longest))
    if network.prefix is not None:
        return _step_by_step(measure, network, rows, most)
    device, pad = network.numbers.device, measure.chat.pad_id
    ids = torch.tensor([[pad] * (longest - len(one.ids)) + list(one.ids) for one in rows], device=device)
    mask = torch.tensor([[0] * (longest - len(one.ids)) + [1] * len(one.ids) for one in rows], device=device)
    said = network.model.generate(
        ids, attention_mask=mask, do_sample=False, num_beams=1, max_new_tokens=most, use_cache=True, pad_token_id=pad,
        eos_token_id=list(measure.chat.eos_ids), stopping_criteria=[_asks_to_stop(measure)])
    return [row[longest:] for row in said.tolist()]


def _asks_to_stop(measure: Measure) -> Any:
    """A criterion that ends an answer soon after somebody asked the run to stop."""
    def asked(ids: torch.Tensor, scores: Any, **more: Any) -> torch.Tensor:
        return torch.full((ids.shape[0],), measure.job.stop.asked(), device=ids.device)

    return asked


def _step_by_step(measure: Measure, network: Network, rows: list[Asked], most: int) -> list[list[int]]:
    """Token by token over whole rows, as training reads them: for a learned prefix, which is a cache already."""
    device, pad, ends = network.numbers.device, measure.chat.pad_id, set(measure.chat.eos_ids)
    texts = [list(one.ids) for one in rows]
    going = set(range(len(rows)))
    for _ in range(most):
        if not going or measure.job.stop.asked():
            break
        places = sorted(going)
        lengths = [len(texts[place]) for place in places]
        width = max(lengths)
        ids = torch.tensor([texts[place] + [pad] * (width - len(texts[place])) for place in places], device=device)
        mask = torch.tensor([[1] * length + [0] * (width - length) for length in lengths], device=device)
        nothing = torch.empty(0, dtype=torch.long, device=device)
        batch = Batch(ids, torch.arange(width, device=device).expand_as(ids), tuple(lengths), nothing, nothing,
                      sum(lengths), mask)
        inputs = network.prefix.extend({"input_ids": ids, "attention_mask": mask, "use_cache": False}, batch)
        logits = network.model(**inputs).logits
        for row, place in enumerate(places):
            token = int(logits[row, lengths[row] - 1].argmax())
            texts[place].append(token)
            if token in ends:
                going.discard(place)
    return [text[len(one.ids):] for text, one in zip(texts, rows, strict=True)]
