"""Tokens are chosen as transformers and the OpenAI protocol say, each row by itself."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from studio.engine.server.sampling import RowState, Sampler, Sampling, _reached, filtered, uniform

SIZE = 700


def logits(rows: int = 1, seed: int = 0, size: int = SIZE, spread: float = 3.0) -> torch.Tensor:
    return torch.randn(rows, size, generator=torch.Generator().manual_seed(seed)) * spread


def theirs(scores: torch.Tensor, prompt: list[int], **asked: Any) -> torch.Tensor:
    """The probabilities that transformers' processors and warpers leave, in the order of its `generate`."""
    from transformers import generation

    made = []
    if "repetition_penalty" in asked:
        made.append(generation.RepetitionPenaltyLogitsProcessor(asked["repetition_penalty"]))
    if "temperature" in asked:
        made.append(generation.TemperatureLogitsWarper(asked["temperature"]))
    if "top_k" in asked:
        made.append(generation.TopKLogitsWarper(asked["top_k"]))
    if "top_p" in asked:
        made.append(generation.TopPLogitsWarper(asked["top_p"]))
    if "min_p" in asked:
        made.append(generation.MinPLogitsWarper(asked["min_p"]))
    ids = torch.tensor([prompt])
    return generation.LogitsProcessorList(made)(ids, scores.clone()).softmax(-1)[0]


def ours(scores: torch.Tensor, prompt: list[int], said: list[int] = (), **asked: Any) -> torch.Tensor:  # type: ignore
    row = RowState(Sampling(seed=0, **asked), prompt)
    for one in said:
        row.push(one)
    changed = scores.clone()
    row.adjust(changed[0])
    weights = filtered(changed, [row.sampling])[0].double()
    return (weights / weights.sum()).float()


@pytest.mark.parametrize("asked", [
    {}, {"temperature": 0.7}, {"temperature": 2.5}, {"top_k": 1}, {"top_k": 40}, {"top_k": 5000}, {"top_p": 0.9},
    {"top_p": 0.05}, {"top_p": 0.9999}, {"min_p": 0.1}, {"min_p": 1.0}, {"repetition_penalty": 1.3},
    {"repetition_penalty": 0.8}, {"temperature": 1.7, "top_p": 0.97}, {"top_k": 30, "top_p": 0.6},
    {"temperature": 0.9, "top_k": 300, "top_p": 0.95, "min_p": 0.02, "repetition_penalty": 1.1}],
    ids=lambda asked: " ".join(f"{name}={value}" for name, value in asked.items()) or "plain")
@pytest.mark.parametrize("spread", [0.3, 3.0])
def test_the_filtered_probabilities_are_those_of_transformers(asked: dict[str, Any], spread: float) -> None:
    prompt = [1, 5, 5, 9, 300]
    for seed in range(3):
        scores = logits(seed=seed, spread=spread)
        kept = {"top_k": min(asked["top_k"], SIZE)} if "top_k" in asked else {}
        torch.testing.assert_close(ours(scores, prompt, **asked), theirs(scores, prompt, **{**asked, **kept}),
                                   atol=1e-6, rtol=1e-5)


def test_a_flat_distribution_with_more_candidates_than_are_sorted_first_is_exact_too() -> None:
    scores = logits(size=20_000, spread=0.2)
    torch.testing.assert_close(ours(scores, [], top_p=0.9), theirs(scores, [0], top_p=0.9), atol=1e-6, rtol=1e-4)


def test_presence_and_frequency_follow_the_formula_of_the_protocol() -> None:
    scores, said = logits(), [3, 3, 3, 8]
    changed = scores.clone()
    row = RowState(Sampling(presence_penalty=0.5, frequency_penalty=0.25), [3, 700 - 1])
    for one in said:
        row.push(one)
    row.adjust(changed[0])
    wanted = scores.clone()
    wanted[0, 3] -= 3 * 0.25 + 0.5  # the prompt does not count
    wanted[0, 8] -= 0.25 + 0.5
    assert torch.equal(changed, wanted)


def test_a_bias_is_added_and_may_forbid_or_force() -> None:
    scores = logits()
    forced = RowState(Sampling.of({"temperature": 1.0, "logit_bias": {"17": 100, "5000": 1}}), [])
    forbidden = RowState(Sampling.of({"temperature": 0, "logit_bias": {int(scores.argmax()): -100}}), [])
    picked = Sampler().pick(scores.repeat(2, 1), [forced, forbidden])
    assert picked.ids == [17, int(scores[0].topk(2).indices[1])]


def test_a_repetition_penalty_covers_prompt_and_answer_once() -> None:
    scores = logits()
    found = ours(scores, [4, 5], [5, 6], repetition_penalty=1.5)
    torch.testing.assert_close(found, theirs(scores, [4, 5, 6], repetition_penalty=1.5), atol=1e-6, rtol=1e-5)


def test_temperature_zero_takes_the_likeliest() -> None:
    scores = logits(8)
    rows = [RowState(Sampling(temperature=0, top_p=0.1), []) for _ in range(8)]
    assert Sampler().pick(scores, rows).ids == scores.argmax(-1).tolist()
    assert Sampler().pick(scores.bfloat16(), rows).ids == scores.bfloat16().float().argmax(-1).tolist()


def run(sampling: Sampling, choice: int, neighbours: int, place: int) -> list[int]:
    """Thirty tokens of one row among others, each step from logits of its own."""
    rows = [RowState(Sampling(seed=1000 + one, top_k=one), [1], choice=one) for one in range(neighbours + 1)]
    rows[place] = RowState(sampling, [1], choice)
    said = []
    for step in range(30):
        scores = logits(neighbours + 1, seed=500 + step)
        scores[place] = logits(seed=step)[0]
        picked = Sampler().pick(scores, rows)
        for row, one in zip(rows, picked.ids, strict=True):
            row.push(one)
        said.append(picked.ids[place])
    return said


def test_a_seed_gives_the_same_answer_among_any_neighbours() -> None:
    asked = Sampling(temperature=0.9, top_p=0.9, seed=7)
    alone = run(asked, 0, 0, 0)
    assert alone == run(asked, 0, 6, 3) == run(asked, 0, 2, 2)
    assert alone != run(asked, 1, 0, 0) and alone != run(Sampling(temperature=0.9, top_p=0.9, seed=8), 0, 0, 0)


def test_without_a_seed_every_answer_has_its_own() -> None:
    assert len({Sampling.of({"seed": None}).seed for _ in range(20)}) > 15


def test_tokens_are_drawn_as_often_as_they_are_likely() -> None:
    size, draws = 600, 20_000  # more than one block
    scores = logits(size=size, spread=2.0)
    wanted = ours(scores, [], temperature=0.8, top_p=0.95)
    counts = torch.zeros(size)
    for start in range(0, draws, 500):
        rows = [RowState(Sampling(temperature=0.8, top_p=0.95, seed=start + one), []) for one in range(500)]
        counts += torch.bincount(torch.tensor(Sampler().pick(scores.repeat(500, 1), rows).ids), minlength=size)
    assert not counts[wanted == 0].any()
    often = wanted * draws >= 5
    square = ((counts - wanted * draws) ** 2 / (wanted * draws))[often].sum()
    freedom = int(often.sum())
    assert abs(float(square) - freedom) < 5 * math.sqrt(2 * freedom)  # a chi-square's mean and five deviations


def test_chances_are_even_and_differ_in_all_three() -> None:
    found = torch.tensor([uniform(seed, choice, position) for seed in range(20) for choice in range(4)
                          for position in range(100)])
    assert len(found.unique()) > 7990 and found.min() >= 0 and found.max() < 1
    bins = torch.histc(found, 20, 0, 1)
    assert ((bins - 400) ** 2 / 400).sum() < 50


def test_log_probabilities_are_of_the_models_own_distribution() -> None:
    scores = logits(2)
    rows = [RowState(Sampling(temperature=0.5, top_k=3, presence_penalty=2.0), [], logprobs=4),
            RowState(Sampling(temperature=0), [])]
    picked = Sampler().pick(scores, rows)
    own = scores.log_softmax(-1)[0]
    assert picked.logprobs[0] == pytest.approx(float(own[picked.ids[0]]), abs=1e-5) and picked.logprobs[1] is None
    assert picked.tops[0] is not None and picked.tops[1] is None
    assert [one for one, _ in picked.tops[0]] == own.topk(4).indices.tolist()
    assert [value for _, value in picked.tops[0]] == pytest.approx(own.topk(4).values.tolist(), abs=1e-5)


def test_logits_are_left_as_they_are() -> None:
    scores = logits(2)
    before = scores.clone()
    Sampler().pick(scores, [RowState(Sampling(repetition_penalty=2.0, top_k=5), [1, 2], logprobs=2) for _ in range(2)])
    assert torch.equal(scores, before)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_what_is_no_number_gives_no_token(temperature: float) -> None:
    scores = logits(3)
    scores[1, 5] = math.nan
    scores[2] = -math.inf
    rows = [RowState(Sampling(temperature=temperature), [], logprobs=1) for _ in range(3)]
    picked = Sampler().pick(scores, rows)
    assert picked.ids[0] >= 0 and picked.ids[1:] == [-1, -1] and picked.logprobs[1:] == [None, None]


def test_forbidden_tokens_are_never_drawn() -> None:
    scores = torch.full((1, 1000), -math.inf)
    scores[0, [255, 256, 999]] = 0.0  # the borders of blocks
    drawn = {Sampler().pick(scores, [RowState(Sampling(seed=seed), [])]).ids[0] for seed in range(60)}
    assert drawn == {255, 256, 999}


def test_a_chance_of_zero_and_one_of_nearly_one_draw_what_is_allowed() -> None:
    sums = torch.tensor([[0.0, 0.0, 0.25, 0.25, 1.0, 1.0]], dtype=torch.float64)
    wanted = [0.0, 0.1, 0.25, 0.999, 1.0]
    assert [int(_reached(sums, torch.tensor([[one]], dtype=torch.float64))) for one in wanted] == [2, 2, 4, 4, 4]
