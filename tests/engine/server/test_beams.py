"""Beam search equals that of transformers, token by token."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from studio.engine.server.beams import Beams
from studio.engine.server.sampling import Sampling
from tests.engine.workbench import make_model

PROMPTS = ([5, 17, 80, 33], [9, 9, 200, 41, 77, 300, 12])


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A tiny model of random weights."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(make_model(tmp_path_factory.mktemp("beams"), "llama")).eval()


@pytest.fixture(scope="module")
def few_words(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One of 24 tokens only, so that ends are likely at every step."""
    from transformers import AutoModelForCausalLM

    made = make_model(tmp_path_factory.mktemp("few"), "llama", vocab_size=24, tie_word_embeddings=False)
    model = AutoModelForCausalLM.from_pretrained(made).eval()
    torch.manual_seed(1)
    torch.nn.init.normal_(model.lm_head.weight, std=0.2)
    return model


def theirs(model: Any, prompt: list[int], count: int, ends: list[int], max_tokens: int, **more: Any) -> list[list[int]]:
    """What `generate` says, without what it fills up with."""
    with torch.inference_mode():
        found = model.generate(torch.tensor([prompt]), attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
                               num_beams=count, num_return_sequences=count, do_sample=False, eos_token_id=ends,
                               pad_token_id=0, max_new_tokens=max_tokens, **more)
    answers = []
    for row in found[:, len(prompt):].tolist():
        end = next((place + 1 for place, one in enumerate(row) if one in ends), len(row))
        answers.append(row[:end])
    return answers


def ours(model: Any, prompt: list[int], count: int, ends: list[int], max_tokens: int, length_penalty: float = 1.0,
         **sampling: Any) -> list[list[int]]:
    beams = Beams(count, length_penalty, ends, max_tokens, Sampling(**sampling), prompt)
    rows = [prompt]
    while True:
        with torch.inference_mode():
            logits = model(torch.tensor(rows)).logits[:, -1]
        parents, tokens, finished = beams.step(logits)
        if finished:
            return [list(one.ids) for one in beams.best(count)]
        rows = [[*rows[parent], token] for parent, token in zip(parents, tokens, strict=True)]


@pytest.mark.parametrize("prompt", PROMPTS)
@pytest.mark.parametrize("count", [1, 2, 4])
def test_beams_are_those_of_generate(model: Any, prompt: list[int], count: int) -> None:
    likely = torch.topk(model(torch.tensor([prompt])).logits[0, -1], 40).indices.tolist()
    for ends in ([2], likely[10:40:2]):  # ends that are found soon, so that beams of several lengths compete
        assert ours(model, prompt, count, ends, 12) == theirs(model, prompt, count, ends, 12)


def test_beams_of_several_lengths_compete_as_they_do_there(few_words: Any) -> None:
    dice = torch.Generator().manual_seed(4)
    for number in range(40):
        prompt = torch.randint(3, 24, (4,), generator=dice).tolist()
        ends = [2, 5, 7, 11][:1 + number % 4]
        count, penalty = 2 + number % 4, (0.0, 1.0, 1.5)[number % 3]
        found = ours(few_words, prompt, count, ends, 10, penalty)
        assert found == theirs(few_words, prompt, count, ends, 10, length_penalty=penalty), number


@pytest.mark.parametrize("penalty", [0.0, 0.6, 2.0])
def test_a_length_penalty_weighs_as_it_does_there(model: Any, penalty: float) -> None:
    ends = torch.topk(model(torch.tensor([PROMPTS[0]])).logits[0, -1], 60).indices.tolist()[::3]
    assert ours(model, PROMPTS[0], 3, ends, 14, penalty) == theirs(model, PROMPTS[0], 3, ends, 14,
                                                                  length_penalty=penalty)


def test_a_repetition_penalty_holds_for_each_beam(model: Any) -> None:
    found = ours(model, PROMPTS[1], 3, [2], 10, repetition_penalty=1.6)
    assert found == theirs(model, PROMPTS[1], 3, [2], 10, repetition_penalty=1.6)
    assert found != ours(model, PROMPTS[1], 3, [2], 10)
