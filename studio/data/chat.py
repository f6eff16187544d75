"""ChatTokenizer: a conversation becomes text, token ids and the mask of what is trained.

Trained are the assistant's words and the token that ends them, in every turn: from the first token that holds a
character of the answer to the first token after it that ends a turn, and nothing behind that. Where a template's
generation prompt ends before what it always writes in front of the words (an empty thinking part, a channel's name),
that belongs to the words: the model has to say it itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from tokenizers import Encoding

from studio.data.answers import AnswerFinder, Span, Turn
from studio.data.jinja import REFUSALS, compiled
from studio.data.tokenizer_files import TokenizerFiles
from studio.errors import InputError
from studio.plugins import plugin
from studio.sample import Message, Sample

NOT_TRAINED = -100


@dataclass(frozen=True, slots=True)
class Encoded:
    """One conversation in tokens; `spans` are the [start, end) places of trained tokens, `cut` says it was too long."""

    ids: list[int]
    spans: list[Span]
    cut: bool

    @property
    def labels(self) -> np.ndarray:
        """The ids where they are trained and -100 elsewhere, at the same places as the ids."""
        return labels_of(np.asarray(self.ids, np.int32), self.spans)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a turn's words stand in a rendered text; `trained` when the model is to learn to say them."""

    turn: int
    role: str
    start: int
    end: int
    trained: bool


@dataclass(frozen=True, slots=True)
class Located:
    """A rendered conversation: its text, the turns that are shown in it, and each token's [start, end) in the text.

    The tokens are those of `ChatTokenizer.encode` without a cutoff; where that one added an end token that the
    template does not write, it has one token more, and where it left out what follows the last end, it has fewer.
    """

    text: str
    turns: tuple[Place, ...]
    ids: list[int]
    offsets: list[Span]


def labels_of(ids: np.ndarray, spans: Sequence[Sequence[int]]) -> np.ndarray:
    """The ids inside the spans and -100 outside."""
    labels = np.full(len(ids), NOT_TRAINED, np.int32)
    for start, end in spans:
        labels[start:end] = ids[start:end]
    return labels


class ChatTokenizer:
    """The tokenizer and chat template of one model folder; see `load`."""

    def __init__(self, files: TokenizerFiles, source: str, end: str | None, default_system: str | None) -> None:
        self.files = files
        self.tokenizer = files.tokenizer()
        self.default_system = default_system
        self.source = self._with_known_end(source, end)
        self.finder = AnswerFinder(self._text)
        try:
            self._template = compiled(self.source)
            self.finder.pieces(("user", "assistant"))
        except REFUSALS as error:
            raise InputError("template_broken", path=str(files.folder), reason=str(error)) from error

    @classmethod
    def load(cls, folder: Path | str, template: str = "own", default_system: str | None = None) -> ChatTokenizer:
        """The tokenizer of a folder with the chat template of this name (a plug-in of `templates`).

        Raises InputError: tokenizer_missing, tokenizer_slow, tokenizer_broken, template_missing, template_broken,
        eos_missing.
        """
        files = TokenizerFiles.of(Path(folder))
        chosen = plugin("templates", template)
        source = chosen.JINJA or files.chat_template
        if not source:
            raise InputError("template_missing", path=str(folder))
        found = cls(files, source, getattr(chosen, "END", None), default_system)
        if not found.eos_ids:
            raise InputError("eos_missing", path=str(folder))
        return found

    # ---- text ----

    def render(self, messages: Sequence[Message | Mapping[str, str]], add_generation_prompt: bool = False) -> str:
        """The conversation as the model sees it; raises one of REFUSALS when the template says no."""
        return self._text(self._turns(messages), add_generation_prompt)

    def _turns(self, messages: Sequence[Message | Mapping[str, str]]) -> list[Turn]:
        turns = [{"role": one.role, "content": one.content} if isinstance(one, Message) else dict(one)
                 for one in messages]
        if self.default_system and turns and turns[0]["role"] != "system":
            turns.insert(0, {"role": "system", "content": self.default_system})
        return turns

    def _text(self, turns: Sequence[Turn], add_generation_prompt: bool = False) -> str:
        return self._template(messages=turns, tools=None, documents=None, add_generation_prompt=add_generation_prompt,
                              **self.files.special)

    def _with_known_end(self, source: str, end: str | None) -> str:
        """A named template ends turns with the model's own end token when its usual one is no token of the model."""
        if end and self.tokenizer.token_to_id(end) is None and self._id("eos_token") is not None:
            return source.replace(end, "{{ eos_token }}")
        return source

    # ---- special tokens ----

    def _id(self, name: str) -> int | None:
        content = self.files.special.get(name)
        return None if content is None else self.tokenizer.token_to_id(content)

    @property
    def bos_id(self) -> int | None:
        """The id of the token that begins a text, if there is one; the template decides whether it is written."""
        return self._id("bos_token")

    @cached_property
    def eos_ids(self) -> tuple[int, ...]:
        """Every id that ends an answer; the first is appended where a template writes none."""
        said = (self._id("eos_token"), *self.files.end_ids)
        known = [one for one in said if one is not None and one < self.vocabulary]
        return tuple(dict.fromkeys([*known, *self._template_ends(set(known))]))

    @cached_property
    def pad(self) -> tuple[int, str]:
        """The id for padding and whose it is: "pad", else "unk" or "eos" where the model has none of its own."""
        for name in ("pad_token", "unk_token"):
            found = self._id(name)
            if found is not None and (name == "pad_token" or found not in self.eos_ids):
                return found, name.removesuffix("_token")
        return self.eos_ids[0], "eos"

    @property
    def pad_id(self) -> int:
        """The id for padding; it is never trained, so that it may be an end token too."""
        return self.pad[0]

    @cached_property
    def vocabulary(self) -> int:
        """How many ids the tokenizer knows."""
        return self.tokenizer.get_vocab_size(with_added_tokens=True)

    @cached_property
    def _special_ids(self) -> frozenset[int]:
        added = self.tokenizer.get_added_tokens_decoder()
        return frozenset(one for one, token in added.items() if token.special)

    def _template_ends(self, known: set[int]) -> list[int]:
        """The tokens with which the template itself ends an answer, seen in what it writes around marks."""
        found = []
        last = self._specials_after_words(self.finder.pieces(("user", "assistant")))
        if last:
            found.append(last[0])
        try:
            pieces = self.finder.pieces(("user", "assistant", "user", "assistant"))
        except REFUSALS:
            return found
        between = self._specials_after_words(pieces[2:3] if pieces else None)
        # A lone special token before the next question heads that question (ChatGLM's <|user|>); it ends nothing.
        if between and between[0] not in known and (last or len(between) > 1):
            found.append(between[0])
        return found

    def _specials_after_words(self, pieces: Sequence[str] | None) -> list[int]:
        """The special tokens of the last piece when it begins with one, white space aside."""
        ids = self.encode_text(pieces[-1].lstrip()) if pieces else []
        return [one for one in ids if one in self._special_ids] if ids and ids[0] in self._special_ids else []

    # ---- tokens ----

    def encode_text(self, text: str) -> list[int]:
        """The ids of a rendered text; nothing is added, since the template writes every special token itself."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = True) -> str:
        """The text of ids."""
        return self.tokenizer.decode(list(map(int, ids)), skip_special_tokens=skip_special_tokens)

    def encode(self, sample: Sample, cutoff_len: int = 1 << 30, train_on_prompt: bool = False,
               mask_history: bool = False) -> Encoded | str:
        """The tokens of one conversation, or the reason why it teaches nothing."""
        return self.encode_batch([sample], cutoff_len, train_on_prompt, mask_history)[0]

    def encode_batch(self, samples: Sequence[Sample], cutoff_len: int = 1 << 30, train_on_prompt: bool = False,
                     mask_history: bool = False) -> list[Encoded | str]:
        """The tokens of each conversation, or its reason: template_refused, mask_unfound or prompt_too_long."""
        located = [self._locate(sample) for sample in samples]
        texts = [found[0] for found in located if not isinstance(found, str)]
        encodings = iter(self.tokenizer.encode_batch(texts, add_special_tokens=False))
        return [found if isinstance(found, str)
                else self._masked(next(encodings), *found, cutoff_len, train_on_prompt, mask_history)
                for found in located]

    def encode_pair(self, sample: Sample, cutoff_len: int = 1 << 30) -> tuple[Encoded, Encoded] | str:
        """The chosen and the rejected conversation of a preference, or the reason why it teaches nothing."""
        return self.encode_pairs([sample], cutoff_len)[0]

    def encode_pairs(self, samples: Sequence[Sample], cutoff_len: int = 1 << 30) -> list[tuple[Encoded, Encoded] | str]:
        """Both conversations of each preference; trained are only the turns in which they differ.

        `sample.rejected` stands in the place of as many last messages.
        """
        both = [Sample(messages, tools=sample.tools) for sample in samples for messages in pair(sample)]
        encoded = self.encode_batch(both, cutoff_len, mask_history=True)
        found: list[tuple[Encoded, Encoded] | str] = []
        for chosen, rejected in zip(encoded[::2], encoded[1::2], strict=True):
            if isinstance(chosen, str) or isinstance(rejected, str):
                found.append(chosen if isinstance(chosen, str) else str(rejected))
            else:
                found.append((chosen, rejected))
        return found

    def located(self, sample: Sample) -> Located | str:
        """A conversation as it is rendered, with the place of every turn and token, or the reason against it."""
        found = self._locate(sample)
        if isinstance(found, str):
            return found
        text, spans = found
        encoding = self.tokenizer.encode(text, add_special_tokens=False)
        answers = [place for place, message in enumerate(sample.messages) if message.role == "assistant"]
        turns = tuple(Place(turn, "assistant", start, end, True)
                      for turn, (start, end) in zip(answers, spans, strict=True))
        return Located(text, turns, encoding.ids, encoding.offsets)

    def _locate(self, sample: Sample) -> tuple[str, list[Span]] | str:
        turns = self._turns(sample.messages)
        try:
            text = self._text(turns)
            spans = self.finder.spans(turns, text)
        except REFUSALS:
            return "template_refused"
        return (text, spans) if spans else "mask_unfound"

    def _masked(self, encoding: Encoding, text: str, answers: list[Span], cutoff_len: int, train_on_prompt: bool,
                mask_history: bool) -> Encoded | str:
        ids = encoding.ids
        spans = [self._token_span(encoding, ids, text, start, end) for start, end in answers]
        start, end = spans[-1]
        if ids[end - 1] not in self.eos_ids:
            ids = [*ids[:end], self.eos_ids[0]]
            spans[-1] = (start, end + 1)
        elif not train_on_prompt:
            ids = ids[:end]
        if train_on_prompt:
            spans = [(0, len(ids))]
        elif mask_history:
            spans = spans[-1:]
        if len(ids) <= cutoff_len:
            return Encoded(ids, spans, False)
        spans = [(start, min(end, cutoff_len)) for start, end in spans if start < cutoff_len]
        return Encoded(ids[:cutoff_len], spans, True) if spans else "prompt_too_long"

    def _token_span(self, encoding: Encoding, ids: list[int], text: str, start: int, end: int) -> Span:
        """The tokens that hold characters [start, end) of the text, and the end token that follows them."""
        first = _token_at(encoding, start, end)
        stop = _token_at(encoding, end, len(text))
        if stop is None:
            stop = len(ids)
        elif encoding.token_to_chars(stop)[0] < end:
            stop += 1
        if first is None:
            first = stop
        place = stop
        while place < len(ids):
            if ids[place] in self.eos_ids:
                return first, place + 1
            left, right = encoding.token_to_chars(place)
            if not text[left:right].isspace():
                break
            place += 1
        return first, stop


def pair(sample: Sample) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The messages of the chosen and of the rejected conversation of a preference."""
    kept = sample.messages[:len(sample.messages) - len(sample.rejected)]
    return sample.messages, (*kept, *sample.rejected)


def _token_at(encoding: Encoding, place: int, end: int) -> int | None:
    """The first token at or after a character; characters may vanish in normalising."""
    while place < end:
        token = encoding.char_to_token(place)
        if token is not None:
            return token
        place += 1
    return None
