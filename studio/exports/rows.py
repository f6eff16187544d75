"""Rows that an acceptance test replays: what the run held out, a dataset of the user, else the questions shipped here.

A row is spelled once, by the tokenizer and template of the training; what opens the result spells it anew by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from studio.data import model
from studio.data.chat import ChatTokenizer
from studio.data.jinja import REFUSALS
from studio.data.turns import schemas, turn_of
from studio.errors import InputError, StopAsked, StudioError
from studio.exports.source import Source
from studio.records import read_json
from studio.sample import Message, Sample
from studio.scores import asked, guard
from studio.scores.asked import Question
from studio.specs import works
from studio.specs.evaluate import LIKELIHOOD
from studio.workspace import Workspace

HELD_OUT, DATASET, SHIPPED = "held_out", "dataset", "shipped"
MOST_TOKENS = 512  # of a row; what follows is not compared
NEW_TOKENS = 64  # of an answer that is written freely
LEAST_NEW_TOKENS = 8
_LONGEST_TEXT = 4_000  # characters of a plain text
_MORE = 4  # as many rows are looked at for one that is wanted: some are too long or refused by the template


@dataclass(frozen=True)
class Row:
    """One row as training spells it.

    `turns` is the conversation up to the answer, without the default system message, `prompt` its ids; `ids` the whole
    row, `asked` the places of those ids that the model has to find, `kept` which of these have their logits compared,
    by their number in `asked`; `end` is the id behind the last answer, None where none was learned. Of a plain `text`
    there are no turns, the prompt is its beginning and `bare` are its ids without a token that begins it.
    """

    number: int
    turns: tuple[dict[str, Any], ...]
    tools: tuple[dict[str, Any], ...]
    text: str
    prompt_text: str
    prompt: tuple[int, ...]
    ids: tuple[int, ...]
    asked: tuple[int, ...]
    end: int | None
    most: int
    reference: str
    kept: tuple[int, ...] = ()
    bare: tuple[int, ...] = ()

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


@dataclass(frozen=True)
class Rows:
    """What is replayed; `origin` is held_out, dataset or shipped, `names` the run or the datasets.

    `why` is the code of the error for which something else than was wanted had to be taken, "" without one.
    """

    rows: tuple[Row, ...]
    origin: str
    names: tuple[str, ...]
    why: str = ""


def choose(spec: Any, source: Source, workspace: Workspace, chat: ChatTokenizer,
           should_stop: Callable[[], bool] | None = None) -> Rows:
    """The rows of a spec's acceptance test; raises StopAsked, InputError questions_none when not one can be spelled."""
    most = spec.acceptance_rows
    context = min(filter(None, (_context(source.base), MOST_TOKENS + NEW_TOKENS)))
    why = ""
    for origin, names, found in _offers(spec, source, workspace, should_stop):
        try:
            rows = list(_spelled(found(), chat, context, most))
        except StopAsked:
            raise
        except StudioError as error:
            why = why or error.code
            continue
        if rows:
            return Rows(tuple(rows), origin, names, why)
        why = why or "questions_none"
    raise InputError("questions_none", reason=f"@errors.{why}" if why != "questions_none" else "–")


def _context(folder: Path) -> int:
    """How many tokens a model takes, as its configuration says, whatever its weights are stored in; 0: not said."""
    config = read_json(folder / "config.json") or {}
    inner = config.get("text_config")
    config = {**config, **inner} if isinstance(inner, dict) else config
    return next((config[name] for name in model.NAMES["context"] if isinstance(config.get(name), int)), 0)


def _offers(spec: Any, source: Source, workspace: Workspace, should_stop: Callable[[], bool] | None) \
        -> Iterator[tuple[str, tuple[str, ...], Callable[[], Sequence[Question]]]]:
    """(origin, names, how to get them), the best first."""
    most = _MORE * spec.acceptance_rows

    def asked_of(**more: Any) -> Callable[[], Sequence[Question]]:
        usual = {"eval_run": None, "dataset": [], "dataset_dir": spec.dataset_dir, "task": LIKELIHOOD,
                 "max_samples": most, "n_shot": 0, "eval_split": "test"}
        wanted = SimpleNamespace(**{**usual, **more})
        return lambda: asked.questions(wanted, workspace, should_stop=should_stop).rows

    if spec.dataset:
        yield DATASET, tuple(spec.dataset), asked_of(dataset=list(spec.dataset))
    elif source.run and source.told and works.verb(str(source.told.get("stage"))) == "train":
        yield HELD_OUT, (source.run,), asked_of(eval_run=source.run)
    yield SHIPPED, (guard.SUITE,), lambda: _shipped(workspace, spec.acceptance_rows)


def _shipped(workspace: Workspace, most: int) -> Sequence[Question]:
    """The questions of the suite, so that the first of them are of every kind and language."""
    rows = guard.questions(guard.suite(workspace)).rows
    stride = max(1, len(rows) // most)
    return [row for first in range(stride) for row in rows[first::stride]]


# ---- spelling ----

def _spelled(questions: Sequence[Question], chat: ChatTokenizer, context: int, most: int) -> Iterator[Row]:
    found = 0
    for question in questions:
        row = _row(question, chat, context)
        if row is not None:
            yield row
            found += 1
        if found == most:
            return


def _row(question: Question, chat: ChatTokenizer, context: int) -> Row | None:
    sample = question.sample
    if sample.text:
        return _of_text(question.number, sample.text, chat, context)
    encoded = chat.encode(Sample(sample.messages, tools=sample.tools))
    prompt = _prompt(sample, chat)
    if isinstance(encoded, str) or prompt is None:
        return None
    turns, text = prompt
    ids = encoded.ids[:min(context, MOST_TOKENS)]
    places = [place for start, end in encoded.spans for place in range(max(1, start), min(end, len(ids)))]
    asked_for = chat.encode_text(text)
    room = min(NEW_TOKENS, context - len(asked_for))
    if not places or room < LEAST_NEW_TOKENS or not asked_for:
        return None
    last = encoded.ids[encoded.spans[-1][1] - 1]
    return Row(question.number, tuple(turns), tuple(schemas(sample.tools) or ()), "", text, tuple(asked_for),
               tuple(ids), tuple(places), last if last in chat.eos_ids else None, room, question.reference)


def _of_text(number: int, text: str, chat: ChatTokenizer, context: int) -> Row | None:
    """A plain text: its first quarter asks, the rest is the answer."""
    text = text[:_LONGEST_TEXT]
    bare = chat.encode_text(text)
    begun = [] if chat.bos_id is None or bare[:1] == [chat.bos_id] else [chat.bos_id]
    ids = [*begun, *bare][:min(context - LEAST_NEW_TOKENS, MOST_TOKENS)]
    if len(ids) < 2:
        return None
    prompt = ids[:max(1, len(ids) // 4)]
    return Row(number, (), (), text, "", tuple(prompt), tuple(ids), tuple(range(1, len(ids))), None,
               min(NEW_TOKENS, context - len(prompt)), "", bare=tuple(bare))


def _prompt(sample: Sample, chat: ChatTokenizer) -> tuple[list[dict[str, Any]], str] | None:
    """(turns without the default system message, text of the prompt); None where the template refuses it."""
    calls = sample.tools or any(one.tool_calls for one in sample.messages)
    manner = chat.tool_manner if calls else chat.manner
    if manner is None:
        return None
    before: tuple[Message, ...] = sample.messages[:-1]
    turns = [turn_of(one, manner) for one in before]
    try:
        return turns, chat.render(turns, True, sample.tools)
    except REFUSALS:
        return None
