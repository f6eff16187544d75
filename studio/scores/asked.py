"""What is asked in an evaluation: the rows that a run held out, found again exactly, or those of datasets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from studio.data import mix, prepare
from studio.data.catalogue import Catalogue, Entry
from studio.data.counts import Skipped
from studio.data.model import locate
from studio.data.options import Reading
from studio.data.tokenise import Tokeniser
from studio.data.walk import Place, walk
from studio.errors import InputError, StopAsked
from studio.runs.files import RunFolder
from studio.sample import Message, Sample
from studio.scores.bare import REASONS, Bare
from studio.scores.exams import Exam, evenly
from studio.specs import frozen
from studio.specs.evaluate import LIKELIHOOD
from studio.specs.rules import has_evaluation
from studio.workspace import Workspace

HELD_OUT = "held_out"
REFERENCE, CHOICES = "reference", "choices"
_STOP_ROWS = 512
Progress = Callable[[int, int], None]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Question:
    """One row that is asked: what stands before the last answer, which is the reference; `place` is file and line."""

    number: int
    sample: Sample
    place: tuple[str, int]
    subject: str = ""
    shots: tuple[Message, ...] = ()

    @property
    def messages(self) -> tuple[Message, ...]:
        """What the model is given, solved examples first."""
        return (*self.shots, *self.sample.messages[:-1])

    @property
    def reference(self) -> str:
        """The right answer as text; calls of tools are JSON."""
        return spelled(self.sample.messages[-1]) if self.sample.messages else self.sample.text

    @property
    def prompt(self) -> tuple[Mapping[str, Any], ...]:
        """What the model is given, as predictions keep it."""
        return tuple({"role": one.role, "content": spelled(one)} for one in self.messages)


@dataclass(frozen=True)
class Questions:
    """The rows of an evaluation; `trained` gives what the run learned from, None where no run is known."""

    rows: tuple[Question, ...]
    skipped: Skipped
    trained: Callable[[], Iterator[Sample]] | None = None
    fingerprints: Mapping[str, str] = field(default_factory=dict)

    @property
    def brings(self) -> tuple[str, ...]:
        """What the rows have that metrics may need."""
        has = {REFERENCE: any(one.reference.strip() for one in self.rows),
               CHOICES: any(one.sample.choices for one in self.rows)}
        return tuple(name for name, there in has.items() if there)


def spelled(message: Message) -> str:
    """A message as text: its words, its calls of tools as JSON."""
    calls = [json.dumps(dict(call), ensure_ascii=False) for call in message.tool_calls]
    return "\n".join(filter(None, [message.content, *calls]))


def questions(spec: Any, workspace: Workspace, tell: Progress | None = None,
              should_stop: Stop | None = None) -> Questions:
    """The rows that a resolved spec asks.

    Raises InputError questions_none (nothing is left to ask), run_held_nothing, what datasets raise, and StopAsked.
    """
    run = _Run.of(spec.eval_run, workspace, tell, should_stop) if spec.eval_run else None
    skipped = Skipped()
    rows = list(_of_exams(spec, workspace))
    if rows:
        return Questions(tuple(rows), skipped)
    if spec.dataset:
        placed = _of_datasets(spec, workspace, skipped, should_stop)
    elif run is not None:
        placed = run.held_out(skipped)
    else:
        raise InputError("questions_unnamed")
    for place, sample in placed:
        if spec.max_samples and not spec.dataset and len(rows) == spec.max_samples:
            break
        rows.append(Question(len(rows), sample, (place.file, place.line)))
    if not rows:
        raise InputError("questions_none", reason=f"@data.skipped.{_reason(skipped)}" if skipped.total else "–")
    return Questions(tuple(rows), skipped, run.trained if run is not None else None)


def holds_out(run: str, workspace: Workspace) -> bool:
    """Whether a run held rows out; raises what reading its spec raises."""
    trained, _ = frozen.thaw(RunFolder(workspace.saves / run).spec)
    return hasattr(trained, "val_size") and has_evaluation(trained)


def entries(names: Sequence[str], dataset_dir: str | None, workspace: Workspace) -> Iterator[tuple[Entry, int | None]]:
    """(dataset, how many of its rows at most) of every name or path."""
    catalogue = Catalogue(workspace, dataset_dir)
    known = {one.name for one in catalogue.entries()}
    for name in names:
        plain, most = mix.limited(name, known)
        yield catalogue.find(plain), most


def _of_exams(spec: Any, workspace: Workspace) -> Iterator[Question]:
    """The questions of the datasets that are exams, examples in front; nothing where none is."""
    number = 0
    for entry, most in entries(spec.dataset, spec.dataset_dir, workspace):
        exam = Exam.of(entry.path) if entry.path is not None else None
        if exam is None:
            continue
        shots: dict[str, tuple[Message, ...]] = {}
        limit = min((one for one in (most, spec.max_samples) if one), default=None)
        for item in evenly(exam.items(spec.eval_split), limit):
            if item.subject not in shots:
                solved = exam.shots(item.subject, spec.n_shot)
                shots[item.subject] = tuple(message for one in solved for message in one.sample.messages)
            yield Question(number, item.sample, item.place, item.subject, shots[item.subject])
            number += 1


def _of_datasets(spec: Any, workspace: Workspace, skipped: Skipped,
                 should_stop: Stop | None) -> Iterator[tuple[Place, Sample]]:
    for entry, most in entries(spec.dataset, spec.dataset_dir, workspace):
        limit = min((one for one in (most, spec.max_samples, entry.num_samples) if one), default=None)
        bare = Bare(entry)
        for count, (place, row, read) in enumerate(walk(entry, limit=limit)):
            _look(count, should_stop)
            for sample in [read] if spec.task == LIKELIHOOD else _asking(bare, row, read):
                if isinstance(sample, str):
                    skipped.add(sample, place.file, place.line)
                else:
                    yield place, sample


def _asking(bare: Bare, row: Any, read: Sample | str) -> Iterator[Sample | str]:
    """What a row asks, or why it asks nothing; a row without an answer asks too, a plain text line by line."""
    if isinstance(read, str):
        yield (bare.sample(row) if read in REASONS else None) or read
    elif read.kind == "text":
        yield from (one for line in read.text.splitlines() if (one := bare.sample(line)) is not None)
    elif read.liked is False:
        yield f"kind_{read.kind}"
    else:
        yield read


def _reason(skipped: Skipped) -> str:
    return skipped.counts.most_common(1)[0][0]


def _look(count: int, should_stop: Stop | None) -> None:
    if count % _STOP_ROWS == 0 and should_stop and should_stop():
        raise StopAsked("tokenising")


@dataclass
class _Run:
    """What a run learned from and what it held out, by its own frozen spec."""

    name: str
    spec: Any
    workspace: Workspace
    work: Tokeniser
    should_stop: Stop | None
    _held: np.ndarray | None = None

    @classmethod
    def of(cls, name: str, workspace: Workspace, tell: Progress | None, should_stop: Stop | None) -> _Run:
        spec, _ = frozen.thaw(RunFolder(workspace.saves / name).spec)
        model = locate(spec.model_name_or_path, workspace, spec.model_revision)
        if model is None:
            raise InputError("model_missing", name=spec.model_name_or_path)
        work = Tokeniser(Path(model), workspace, Reading.of(spec), True, tell, should_stop)
        return cls(name, spec, workspace, work, should_stop)

    def held_out(self, skipped: Skipped) -> Iterator[tuple[Place, Sample]]:
        """The rows on which the run was evaluated, in the order of its data."""
        if self.spec.eval_strategy != "no" and self.spec.eval_dataset:
            yield from self._used(self._parts(self.spec.eval_dataset), skipped)
            return
        held = set(self._held_places().tolist())
        if not held:
            raise InputError("run_held_nothing", name=self.name)
        for number, one in enumerate(self._used(self._parts(self.spec.dataset), skipped)):
            if number in held:
                yield one

    def trained(self) -> Iterator[Sample]:
        """The rows that the run learned from."""
        held = set(self._held_places().tolist())
        for number, (_, sample) in enumerate(self._used(self._parts(self.spec.dataset), Skipped())):
            if number not in held:
                yield sample

    def _parts(self, names: Sequence[str]) -> list[prepare.Part]:
        return prepare.parts(names, Catalogue(self.workspace, self.spec.dataset_dir))

    def _held_places(self) -> np.ndarray:
        """Which of the used rows were held out: the same draw as training's, over the same count of token rows."""
        if self._held is None:
            parts = self._parts(self.spec.dataset)
            self.work.expect([part.entry for part in parts])
            rows = sum(len(self.work.tokens(part.entry, part.most).rows) for part in parts)
            each = 2 if self.work.options.learns == "preference" else 1
            splits = not (self.spec.eval_dataset and self.spec.eval_strategy != "no")
            self._held = np.unique(prepare.split(rows, self.spec, splits)[1] // each)
        return self._held

    def _used(self, parts: Sequence[prepare.Part], skipped: Skipped) -> Iterator[tuple[Place, Sample]]:
        """The rows that become tokens, in training's order; spelled again only where some of them teach nothing."""
        learns = str(self.work.options.learns)
        for part in parts:
            limits = (part.most, self.spec.max_samples, part.entry.num_samples)
            most = min((one for one in limits if one), default=None)
            read = self.work.tokens(part.entry, part.most).counts
            mute = [reason for reason in read.skipped if not _by_reading(reason)]
            for count, one in enumerate(self.work.samples(part.entry, skipped, most, learns)):
                _look(count, self.should_stop)
                if not mute or self.work.is_usable(one, skipped):
                    yield one


def _by_reading(reason: str) -> bool:
    """Whether a row is left out as soon as it is read, not only when it is spelled."""
    return reason not in ("template_refused", "template_no_system", "template_no_tools", "mask_unfound",
                          "prompt_too_long")
