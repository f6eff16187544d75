"""Answers under a grammar are always valid, whatever the model would rather say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.data.tokenizer_files import TokenizerFiles
from studio.engine.server.grammar import Grammars
from studio.engine.server.sampling import RowState, Sampler, Sampling
from studio.errors import InputError
from studio.workspace import PROJECT, Workspace

SHARED = PROJECT.parent / "shared" / "data"
SCHEMA = {"type": "object", "additionalProperties": False, "required": ["city", "days", "sort"],
          "properties": {"city": {"type": "string", "maxLength": 12}, "days": {"type": "integer"},
                         "sort": {"enum": ["a", "\u597d"]},
                         "more": {"type": "array", "items": {"type": "boolean"}, "maxItems": 3}}}
END = 2


def tokenizer(name: str) -> Any:
    folder = Workspace(PROJECT).starter if name == "starter" else SHARED / name
    if not Path(folder).is_dir():
        pytest.skip(f"needs {name} beside the checkout")
    return TokenizerFiles.of(Path(folder)).tokenizer()


def answer(made: Grammars, asked: dict[str, Any], size: int, seed: int, most: int = 600) -> list[int] | None:
    """What a model of pure chance says; None when it did not come to an end."""
    row = RowState(Sampling(seed=seed), [], grammar=made(asked, [END]))
    dice = torch.Generator().manual_seed(seed)
    said: list[int] = []
    while len(said) < most:
        [token] = Sampler().pick(torch.randn(1, size, generator=dice) * 3, [row]).ids
        assert token >= 0
        if token == END:
            return said
        said.append(token)
        row.push(token)
    return None


@pytest.mark.parametrize("name", ["starter", "tokenizers/minimind", "models/stories260K", "tokenizers/mistral"])
@pytest.mark.parametrize("kind", ["json", "schema", "regex"])
def test_a_random_model_answers_validly(name: str, kind: str) -> None:
    tokens = tokenizer(name)
    size = tokens.get_vocab_size() + 8  # models have more logits than tokens
    made = Grammars(tokens, [END], size)
    pattern = r"\d{3}-[a-z]{2,5}(\u4f60|\u597d)?"
    asked = {"json": {"type": "json"}, "schema": {"type": "schema", "schema": SCHEMA},
             "regex": {"type": "regex", "regex": pattern}}[kind]
    ended = 0
    for seed in range(6):
        said = answer(made, asked, size, seed)
        if said is None:
            continue  # a random model may write one string for ever
        ended += 1
        text = tokens.decode(said, skip_special_tokens=True)
        if kind == "regex":
            assert re.fullmatch(pattern, text), text
            continue
        found = json.loads(text, strict=True)
        assert isinstance(found, dict)
        if kind == "schema":
            assert list(found)[:3] == ["city", "days", "sort"] and len(found["city"]) <= 12
            assert isinstance(found["days"], int) and found["sort"] in ("a", "\u597d")
    assert ended if kind == "json" else ended >= 5


def test_without_a_grammar_the_same_model_answers_anything() -> None:
    tokens = tokenizer("starter")
    said = [int(torch.randn(tokens.get_vocab_size(), generator=torch.Generator().manual_seed(seed)).argmax())
            for seed in range(20)]
    with pytest.raises(ValueError):
        json.loads(tokens.decode(said))


def test_a_vocabulary_without_json_signs_is_refused_with_what_is_missing() -> None:
    tokens = tokenizer("models/zh-poem-750K")
    with pytest.raises(InputError) as refused:
        Grammars(tokens, [END])({"type": "json"})
    assert refused.value.code == "grammar_unspellable" and "{" in refused.value.values["missing"]


@pytest.mark.parametrize(("asked", "code"), [
    ({"type": "poem"}, "grammar_kind"),
    ({"type": "regex", "regex": "(a"}, "grammar_broken"),
    ({"type": "schema", "schema": {"type": "nothing"}}, "grammar_broken"),
    ({"type": "schema", "schema": None}, "grammar_broken"),
])
def test_a_bad_grammar_is_refused_with_its_reason(asked: dict[str, Any], code: str) -> None:
    with pytest.raises(InputError) as refused:
        Grammars(tokenizer("starter"), [END])(asked)
    assert refused.value.code == code


def test_answers_begun_outside_of_the_grammar_leave_nothing_to_choose() -> None:
    tokens = tokenizer("starter")
    row = RowState(Sampling(), [], grammar=Grammars(tokens, [END])({"type": "json"}))
    row.push(tokens.encode("x", add_special_tokens=False).ids[0])
    assert Sampler().pick(torch.zeros(1, tokens.get_vocab_size()), [row]).ids == [-1]


def test_rows_with_the_same_grammar_go_their_own_ways() -> None:
    tokens = tokenizer("starter")
    made = Grammars(tokens, [END])
    first, second = (RowState(Sampling(), [], grammar=made({"type": "regex", "regex": "ab|cd"})) for _ in range(2))
    first.push(tokens.encode("a", add_special_tokens=False).ids[0])
    scores = torch.zeros(tokens.get_vocab_size())
    second.adjust(scores)
    assert scores[tokens.encode("c", add_special_tokens=False).ids[0]] == 0


def test_a_grammar_may_begin_behind_the_thinking() -> None:
    tokens = tokenizer("starter")
    asked = {"type": "regex", "regex": "ab", "after": "</think>"}
    row = RowState(Sampling(), [], grammar=Grammars(tokens, [END])(asked))
    thought = tokens.encode("So, a {.\n</think>", add_special_tokens=False).ids
    for one in thought:
        scores = torch.zeros(tokens.get_vocab_size())
        row.adjust(scores)
        assert scores[one] == 0 and scores[END] == -torch.inf
        row.push(one)
    scores = torch.zeros(tokens.get_vocab_size())
    row.adjust(scores)
    allowed = {tokens.decode([one]) for one in torch.nonzero(scores == 0)[:, 0].tolist()}
    assert allowed <= {"a", "ab"} and allowed
