"""Many rows of many checkpoints in one batch say, token by token, what each says alone with transformers' generate."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.engine.server.hosting import Desk, adapter, greedy, loaded, with_peft
from tests.engine.workbench import make_model

GEMMA = {"head_dim": 8, "num_key_value_heads": 2}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "llama": ("llama", {"num_key_value_heads": 2}),
    "qwen2": ("qwen2", {"num_key_value_heads": 1}),
    "qwen3": ("qwen3", {"num_key_value_heads": 2, "head_dim": 16}),
    "mistral with a window": ("mistral", {"num_key_value_heads": 2, "sliding_window": 9}),
    "gemma2": ("gemma2", {**GEMMA, "sliding_window": 9, "query_pre_attn_scalar": 8}),
    "gemma3": ("gemma3_text", {**GEMMA, "sliding_window": 9, "query_pre_attn_scalar": 8,
                               "layer_types": ["sliding_attention", "full_attention"]}),
    "phi3": ("phi3", {"num_key_value_heads": 2}),
    "glm": ("glm", {"num_key_value_heads": 2, "head_dim": 8}),
    "gpt2": ("gpt2", {}),
    "gpt_neo": ("gpt_neo", {"num_layers": 2, "attention_types": [[["global", "local"], 1]], "window_size": 8,
                            "num_heads": 4}),
}
ALONE = {"gpt_neo"}
PROMPTS = ([5, 9, 200, 31], list(range(40, 90)), [7, 8, 9] * 11, [300, 12], [77] * 5 + list(range(100, 117)), [3])


@functools.cache
def made(folder: Path, kind: str) -> str:
    """A tiny model of a family."""
    family, more = FAMILIES[kind]
    return wild(make_model(folder / "base", family, tie_word_embeddings=False, **more))


def wild(base: str) -> str:
    """The model with layers that count, so that it does not say one word for ever."""
    model = loaded(base)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 2 and "embed" not in name and "wte" not in name:
                weight.mul_(6)
    model.save_pretrained(base)
    return base


@pytest.fixture(params=FAMILIES, scope="module")
def kind(request: pytest.FixtureRequest) -> str:
    """The family under test."""
    return str(request.param)


@pytest.fixture(scope="module")
def base(kind: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A tiny model of the family."""
    return made(tmp_path_factory.mktemp("model"), kind)


@pytest.fixture(scope="module")
def checkpoints(base: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Four checkpoints of different kinds and ranks."""
    folder = tmp_path_factory.mktemp("checkpoints")
    return {"low": adapter(base, folder / "low", seed=1),
            "stabilised": adapter(base, folder / "stabilised", seed=2, rank=7, rank_stabilised=True),
            "dora": adapter(base, folder / "dora", seed=3, rank=3, dora=True),
            "whole ends": adapter(base, folder / "ends", seed=4, also=("lm_head", embedding(base)))}


def embedding(base: str) -> str:
    """What the family calls its embedding."""
    return next(name.rpartition(".")[2] for name, module in loaded(base).named_modules()
                if isinstance(module, torch.nn.Embedding))


@pytest.fixture(scope="module")
def alone(base: str, checkpoints: dict[str, Path]) -> Iterator[dict[str, list[list[int]]]]:
    """What each says alone to each prompt, by transformers and PEFT."""
    networks = {"": loaded(base), **{name: with_peft(base, folder) for name, folder in checkpoints.items()}}
    yield {name: [greedy(network, prompt) for prompt in PROMPTS] for name, network in networks.items()}


def test_rows_that_join_and_leave_at_different_times_say_what_each_says_alone(
        kind: str, base: str, checkpoints: dict[str, Path], alone: dict[str, list[list[int]]]) -> None:
    desk = Desk.of(base)
    assert desk.model.ready["one_batch"] is (kind not in ALONE)
    for name, folder in checkpoints.items():
        assert desk.load(name, folder)["changes_logits"]
    lengths = (12, 4, 9, 12, 6, 11)
    desk.model.scheduler.rate = 1.0  # prompts are read in the smallest pieces
    events: dict[int, list[Any]] = {}
    for lane in alone:
        for number, prompt in enumerate(PROMPTS):
            ask = functools.partial(desk.ask, (lane, number), prompt, lane, max_tokens=lengths[number])
            events.setdefault((7 * number + 3 * len(lane)) % 23, []).append(ask)
    desk.work({step: lambda asks=asks: [ask() for ask in asks] for step, asks in events.items()})
    for lane, answers in alone.items():
        for number, answer in enumerate(answers):
            assert desk.tokens((lane, number)) == answer[:lengths[number]], (lane, number)
    assert len({tuple(answers[1]) for answers in alone.values()}) == len(alone)
    assert len(set(alone[""][1])) > 3


@pytest.mark.parametrize(("family", "more"), [
    ("bloom", {}), ("llama", {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0},
                              "max_position_embeddings": 32}),
    ("mamba", {"state_size": 4}),
])
def test_what_a_batch_would_change_is_run_row_by_row(tmp_path: Path, family: str, more: dict[str, Any]) -> None:
    base = wild(make_model(tmp_path, family, tie_word_embeddings=False, **more))
    desk, alone = Desk.of(base), loaded(base)
    assert desk.model.ready["one_batch"] is False
    for number, prompt in enumerate(PROMPTS[:3]):
        desk.ask(number, prompt[:20])
    desk.work()
    for number, prompt in enumerate(PROMPTS[:3]):
        assert desk.tokens(number) == greedy(alone, prompt[:20])


def test_a_prefix_beside_others_says_what_it_says_alone(tmp_path: Path, llama: str, checkpoints_of_llama: Path) -> None:
    from studio.engine import prefix

    model = loaded(llama)
    tuned = prefix.tuned(model, 5, False, 3, llama)
    with torch.no_grad():
        for weight in tuned.moving.values():
            weight.add_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(5)))
    tuned.save(tmp_path)
    desk = Desk.of(llama)
    assert desk.load("prefix", tmp_path, "prefix")["changes_logits"]
    desk.load("low", checkpoints_of_llama)
    for number, prompt in enumerate(PROMPTS[:4]):
        for lane in ("", "prefix", "low"):
            desk.ask((lane, number), prompt, lane)
    desk.work()
    for number, prompt in enumerate(PROMPTS[:4]):
        assert desk.tokens(("prefix", number)) == prefixed(model, tuned, prompt)
        assert desk.tokens(("", number)) == greedy(model, prompt)
    answer = desk.tokens(("prefix", 1))
    again = [*PROMPTS[1], *answer, 9, 8]
    assert desk.answer(again, "prefix") == prefixed(model, tuned, again)
    assert desk.said[-1]["done"]["reused_tokens"] == len(PROMPTS[1]) + len(answer) - 1


@pytest.fixture(scope="module")
def checkpoints_of_llama(llama: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One low-rank checkpoint of the tiny Llama."""
    return adapter(llama, tmp_path_factory.mktemp("llama") / "low", seed=1)


@torch.no_grad()
def prefixed(model: Any, tuned: Any, prompt: list[int]) -> list[int]:
    """A greedy answer with the prefix in front, everything computed anew for each token."""
    from transformers import DynamicCache

    ids = list(prompt)
    for _ in range(12):
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(tuned.prefix.encoder()):
            cache.update(keys[None], values[None], layer)
        positions = torch.arange(len(ids))[None]
        logits = model(input_ids=torch.tensor([ids]), past_key_values=cache, position_ids=positions,
                       attention_mask=torch.ones(1, len(ids) + 5, dtype=torch.long)).logits
        ids.append(int(logits[0, -1].argmax()))
    return ids[len(prompt):]
