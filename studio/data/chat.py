"""ChatTokenizer: a conversation becomes text, token ids and the mask of what is trained.

Trained are the assistant's words and the token that ends them, in every turn: from the first token that holds a
character of the answer to the first token after it that ends a turn, and nothing behind that. Where a template's
generation prompt ends before what it always writes in front of the words (an empty thinking part, a channel's name),
that belongs to the words: the model has to say it itself. So do thinking and the calls of tools, as they are spelled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

from studio.data.answers import AnswerFinder, Span
from studio.data.jinja import REFUSALS, compiled
from studio.data.mask import NOT_TRAINED, Encoded, Rendered, labels_of, masked, token_spans
from studio.data.signposts import Signposts
from studio.data.spelling import Spelling
from studio.data.templates import chosen, wanted
from studio.data.tokenizer_files import TokenizerFiles
from studio.data.turns import Manner, Turn, is_plain, manners, mark, marked, schemas, turn_of
from studio.errors import InputError
from studio.sample import Message, Sample
from studio.workspace import Workspace

__all__ = ["NOT_TRAINED", "ChatTokenizer", "Encoded", "Located", "Place", "labels_of", "pair"]
# A template learned by heart is compared with its rendering at first, and then now and again.
_COMPARED_FIRST, _COMPARED_EVERY = 8, 256
_LEAST_HEADING = 24  # characters: below that, encoding them again costs nothing
_QUESTIONS = ("Why?", " so", "\n1", "\u00e9", "\u2581x")
_PROBE = Message("assistant", "", ({"name": "look", "arguments": {"at": "it"}},))
_PROBE_TOOL = {"name": mark("tool"), "description": "", "parameters": {"type": "object", "properties": {}}}


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


class ChatTokenizer:
    """The tokenizer and chat template of one model folder; see `load`."""

    def __init__(self, files: TokenizerFiles, source: str, end: str | None, default_system: str | None,
                 last_only: bool = False) -> None:
        self.files = files
        self.tokenizer = files.tokenizer()
        self.default_system = default_system
        self.last_only = last_only
        self.source = self._with_known_end(source, end)
        self.manner, *self._manners = manners(self.source)
        self._spellings: dict[tuple[str, ...], Spelling | None] = {}
        self.finder = AnswerFinder(self._text)
        try:
            self._template = compiled(self.source)
            self.finder.pieces(("user", "assistant"))
        except REFUSALS as error:
            raise InputError("template_broken", path=str(files.folder), reason=str(error)) from error

    @classmethod
    def load(cls, folder: Path | str, template: str = "own", default_system: str | None = None,
             workspace: Workspace | None = None) -> ChatTokenizer:
        """The tokenizer of a folder with the chat template of this name: a plug-in of `templates`, or a user's own.

        Raises InputError: tokenizer_missing, tokenizer_slow, tokenizer_broken, template_missing, template_unknown,
        template_broken, template_line_broken, template_no_system, eos_missing.
        """
        files = TokenizerFiles.of(Path(folder))
        spoken = chosen(template, workspace or Workspace.at())
        source = spoken.source or files.chat_template
        if not source:
            raise InputError("template_missing", path=str(folder), wanted=wanted(folder))
        found = cls(files, source, spoken.end, default_system, spoken.last_only)
        if not found.eos_ids:
            raise InputError("eos_missing", path=str(folder))
        if default_system and not found.takes_system:
            raise InputError("template_no_system", template=template, value=default_system)
        return found

    # ---- text ----

    def render(self, messages: Sequence[Message | Mapping[str, Any]], add_generation_prompt: bool = False,
               tools: Sequence[Mapping[str, Any]] = ()) -> str:
        """The conversation as the model sees it; raises one of REFUSALS when the template says no."""
        return self._text(self._turns(messages), add_generation_prompt, schemas(tools))

    def _turns(self, messages: Sequence[Message | Mapping[str, Any]], manner: Manner | None = None) -> list[Turn]:
        turns = [turn_of(one, manner or self.manner) if isinstance(one, Message) else dict(one) for one in messages]
        if self.default_system and turns and turns[0]["role"] != "system":
            turns.insert(0, {"role": "system", "content": self.default_system})
        return turns

    def _text(self, turns: Sequence[Turn], add_generation_prompt: bool = False,
              tools: list[dict[str, Any]] | None = None) -> str:
        return self._template(messages=turns, tools=tools, documents=None, add_generation_prompt=add_generation_prompt,
                              **self.files.special)

    def _with_known_end(self, source: str, end: str | None) -> str:
        """A named template ends turns with the model's own end token when its usual one is no token of the model."""
        if end and self.tokenizer.token_to_id(end) is None and self._id("eos_token") is not None:
            return source.replace(end, "{{ eos_token }}")
        return source

    @cached_property
    def takes_system(self) -> bool:
        """Whether the template shows a system message."""
        turns = [{"role": role, "content": mark(role)} for role in ("system", "user", "assistant")]
        try:
            return mark("system") in self._text(turns)
        except REFUSALS:
            return False

    @property
    def takes_tools(self) -> bool:
        """Whether the template shows tools, their calls and their results."""
        return self.tool_manner is not None

    @cached_property
    def tool_manner(self) -> Manner | None:
        """How the template wants calls of tools; None when it leaves something of them out."""
        for manner in (self.manner, *self._manners):
            turns = [{"role": "user", "content": "?"}, marked(turn_of(_PROBE, manner), 1),
                     {"role": "tool", "content": mark("result"), "name": "look"},
                     {"role": "assistant", "content": "!"}]
            try:
                text = self._text(turns, tools=schemas([_PROBE_TOOL]))
            except REFUSALS:
                continue
            if all(mark(one) in text for one in ("tool", "1.0.name", "1.0.value", "result")):
                return manner
        return None

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
    def _special(self) -> dict[int, str]:
        added = self.tokenizer.get_added_tokens_decoder()
        return {one: token.content for one, token in added.items() if token.special}

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
        return [one for one in ids if one in self._special] if ids and ids[0] in self._special else []

    @cached_property
    def _ends_and_signs(self) -> tuple[re.Pattern[str], re.Pattern[str]]:
        ends = [self.tokenizer.id_to_token(one) for one in self.eos_ids]
        both = ("|".join(map(re.escape, sorted(found, key=len, reverse=True))) or "(?!)"
                for found in (ends, self._special.values()))
        found, signs = map(re.compile, both)
        return found, signs

    def _tail(self, text: str) -> int:
        """How much of the text behind a turn's last word belongs to the turn: up to its end, else the next sign."""
        ends, signs = self._ends_and_signs
        found = ends.search(text) or signs.search(text)
        return found.start() if found else len(text.rstrip())

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
        """The tokens of each conversation, or its reason: template_refused, template_no_system, template_no_tools,
        mask_unfound or prompt_too_long.
        """
        first = -1 if mask_history or self.last_only else 0
        return self._encoded(samples, [first] * len(samples), cutoff_len, train_on_prompt)

    def _encoded(self, samples: Sequence[Sample], firsts: Sequence[int], cutoff_len: int,
                 train_on_prompt: bool) -> list[Encoded | str]:
        """The tokens of conversations of which the answers from the `firsts`-th on are trained."""
        located = [self._beheaded(self._locate(sample)) for sample in samples]
        places = token_spans(self.tokenizer, [one for one in located if not isinstance(one, str)], self.eos_ids)
        return [found if isinstance(found, str)
                else masked(*next(places), found.heading, self.eos_ids, first, cutoff_len, train_on_prompt)
                for found, first in zip(located, firsts, strict=True)]

    def _beheaded(self, found: Rendered | str) -> Rendered | str:
        """A rendered text without the heading, whose tokens are known."""
        heading, ids = self._heading
        if isinstance(found, str) or not heading or not found.text.startswith(heading) \
                or found.answers[0][0] < len(heading):
            return found
        less = len(heading)
        answers = [(start - less, end - less) for start, end in found.answers]
        return Rendered(found.text[less:], answers, found.posts, ids)

    @cached_property
    def _heading(self) -> tuple[str, list[int]]:
        """What the template writes before every first question and its tokens, up to the last special token there.

        A special token parts a text, so what stands before it is encoded once for all rows. ("", []) where there is
        too little of it, or where the tokenizer does not part the text.
        """
        try:
            before = (self.finder.pieces(("user", "assistant")) or ("",))[0]
        except REFUSALS:
            return "", []
        signs = [found.start() for found in self._ends_and_signs[1].finditer(before)]
        heading = before[:signs[-1]] if signs else ""
        if len(heading) < _LEAST_HEADING:
            return "", []
        ids = self.encode_text(heading)
        rests = [before[len(heading):] + question for question in _QUESTIONS]
        parted = all(ids + self.encode_text(rest) == self.encode_text(heading + rest) for rest in rests)
        return (heading, ids) if parted else ("", [])

    def encode_pair(self, sample: Sample, cutoff_len: int = 1 << 30) -> tuple[Encoded, Encoded] | str:
        """The chosen and the rejected conversation of a preference, or the reason why it teaches nothing."""
        return self.encode_pairs([sample], cutoff_len)[0]

    def encode_pairs(self, samples: Sequence[Sample], cutoff_len: int = 1 << 30) -> list[tuple[Encoded, Encoded] | str]:
        """Both conversations of each preference; trained are only the turns in which they differ.

        `sample.rejected` stands in the place of as many last messages.
        """
        both = [Sample(messages, tools=sample.tools) for sample in samples for messages in pair(sample)]
        shared = [_answers(sample.messages[:len(sample.messages) - len(sample.rejected)]) for sample in samples]
        encoded = self._encoded(both, [first for one in shared for first in (one, one)], cutoff_len, False)
        found: list[tuple[Encoded, Encoded] | str] = []
        for chosen_one, rejected in zip(encoded[::2], encoded[1::2], strict=True):
            if isinstance(chosen_one, str) or isinstance(rejected, str):
                found.append(chosen_one if isinstance(chosen_one, str) else str(rejected))
            else:
                found.append((chosen_one, rejected))
        return found

    def located(self, sample: Sample) -> Located | str:
        """A conversation as it is rendered, with the place of every answer and token, or the reason against it."""
        found = self._locate(sample)
        if isinstance(found, str):
            return found
        encoding = self.tokenizer.encode(found.text, add_special_tokens=False)
        answers = [place for place, message in enumerate(sample.messages) if message.role == "assistant"]
        turns = tuple(Place(turn, "assistant", start, end, True)
                      for turn, (start, end) in zip(answers, found.answers, strict=True))
        return Located(found.text, turns, encoding.ids, encoding.offsets)

    # ---- where the answers stand ----

    def _locate(self, sample: Sample) -> Rendered | str:
        turns = self._turns(sample.messages)
        try:
            found = self._rich(sample) if sample.tools or not is_plain(turns) else self._plain(turns)
        except REFUSALS:
            refuses_system = not self.takes_system and any(turn["role"] == "system" for turn in turns)
            return "template_no_system" if refuses_system else "template_refused"
        return found or "mask_unfound"

    def _plain(self, turns: list[Turn]) -> Rendered | None:
        """The text and answers of a conversation of words alone: learned by heart, else rendered."""
        roles = tuple([turn["role"] for turn in turns])
        if roles not in self._spellings:
            self._spellings[roles] = self._learned(roles)
        spelling = self._spellings[roles]
        learned = spelling and spelling.spelled([turn["content"] for turn in turns])
        if spelling and learned and spelling.uses > _COMPARED_FIRST and spelling.uses % _COMPARED_EVERY:
            return Rendered(*learned, spelling.posts)
        text = self._text(turns)
        spans = self.finder.spans(turns, text)
        if learned and learned != (text, spans):
            self._spellings[roles] = None
        return Rendered(text, spans) if spans else None

    def _learned(self, roles: tuple[str, ...]) -> Spelling | None:
        found = Spelling.learned(self.source, roles, self.finder.openings(roles), tools=None, documents=None,
                                 add_generation_prompt=False, **self.files.special)
        if found:
            (first, opening), *others = found.fixed
            first = first.removeprefix(self._heading[0])
            found.posts = Signposts.of([(first, opening), *others], self.tokenizer, self.eos_ids)
        return found

    def _rich(self, sample: Sample) -> Rendered | str | None:
        """The text and answers of a conversation with tools or thinking."""
        tools, manner = schemas(sample.tools), self.manner
        if tools or any(message.tool_calls for message in sample.messages):
            if self.tool_manner is None:
                return "template_no_tools"
            manner = self.tool_manner
        turns = self._turns(sample.messages, manner)
        render = partial(self._text, tools=tools)
        text = render(turns)
        spans = self.finder.spans(turns, text, render, self._tail)
        return Rendered(text, spans) if spans else None


def pair(sample: Sample) -> tuple[tuple[Message, ...], tuple[Message, ...]]:
    """The messages of the chosen and of the rejected conversation of a preference."""
    kept = sample.messages[:len(sample.messages) - len(sample.rejected)]
    return sample.messages, (*kept, *sample.rejected)


def _answers(messages: Sequence[Message]) -> int:
    return sum(message.role == "assistant" for message in messages)
