"""Answers found by the special tokens around them are those found by looking where every token stands."""

from __future__ import annotations

import itertools

import pytest

from studio.data import mask
from studio.data.chat import ChatTokenizer
from studio.data.signposts import Signposts
from studio.sample import Message, Sample
from studio.workspace import Workspace
from tests.data.test_mask_on_named_templates import NAMED, SHARED, TOKENIZERS, load

# What may stand at a border: nothing, white space, line ends, marks that join what stands before them, special tokens.
WORDS = ("yes", "", " two", "\n\nthen", "over \n", "\u0301x", "\u4f60\u597d", "\U0001f600", "</s>", "<|im_end|>", "\n",
         "<|im_start|>assistant\nno", "<|endoftext|> and on", "\u00a0x")


def _rows() -> list[Sample]:
    warm = [_row("a", "b") for _ in range(12)]
    return warm + [_row(asked, said) for asked, said in itertools.product(WORDS, WORDS[:4])]


def _row(asked: str, said: str) -> Sample:
    return Sample((Message("user", asked), Message("assistant", said or "-"), Message("user", said),
                   Message("assistant", asked or "-")))


@pytest.mark.parametrize("template", NAMED)
@pytest.mark.parametrize("tokenizer", TOKENIZERS if SHARED.is_dir() else ())
def test_signposts_and_places_tell_the_same(tokenizer: str, template: str) -> None:
    rows, chat = _rows(), load(tokenizer, template)
    quick = chat.encode_batch(rows)
    for spelling in filter(None, chat._spellings.values()):
        if spelling.posts:
            spelling.posts.trusted = False
    assert chat.encode_batch(rows) == quick


def test_the_usual_rows_of_a_chatml_model_go_by_signposts(monkeypatch: pytest.MonkeyPatch) -> None:
    chat, careful = ChatTokenizer.load(Workspace().starter, "chatml"), []
    by_places = mask._by_places
    monkeypatch.setattr(mask, "_by_places", lambda *of: careful.append(of) or by_places(*of))
    found = chat.encode_batch([_row(f"{n}+1", str(n + 1)) for n in range(200)])
    assert len(careful) <= 16, "the first eight after the eight that are rendered"
    assert all(not isinstance(one, str) and len(one.spans) == 2 for one in found)


def test_signposts_that_are_found_to_lie_are_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    chat = ChatTokenizer.load(Workspace().starter, "chatml")
    rows = [_row(f"{n}+1", str(n + 1)) for n in range(40)]
    right = chat.encode_batch(rows)
    told = Signposts.spans
    monkeypatch.setattr(Signposts, "spans", lambda self, ids: [(start - 1, end) for start, end in told(self, ids)])
    chat = ChatTokenizer.load(Workspace().starter, "chatml")
    assert chat.encode_batch(rows) == right
    assert not any(one.posts.trusted for one in chat._spellings.values())


def test_an_answer_without_its_special_tokens_has_no_signposts() -> None:
    tokenizer = ChatTokenizer.load(Workspace().starter).tokenizer
    end = tokenizer.token_to_id("<|im_end|>")
    assert Signposts.of([("Q: ", None), ("\nA: ", 0), ("\n", None)], tokenizer, {end}) is None
    assert Signposts.of([("<|im_start|>", None), ("\nA: ", 0), ("<|im_end|>", None)], tokenizer, {end}) is None
    assert Signposts.of([("<|im_start|>", None), ("<|im_start|>", 0), ("\n<|im_end|>", None)], tokenizer, {end}) is None
    assert Signposts.of([("<|im_start|>", None), ("<|im_start|>", 0), ("<|im_end|>", None)], tokenizer, {end})
