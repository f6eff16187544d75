"""Preferences of a real small model: what the engine measures is what transformers computes by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from studio.engine.evaluate import program
from studio.runs.files import RunFolder
from studio.scores.admission import admit
from studio.scores.predictions import NAME, read
from studio.specs import frozen
from studio.workspace import PROJECT, Workspace
from tests.engine.workbench import Studio

ROWS = 24


def weights(pairs: list[dict[str, str]]) -> list[tuple[list[float], list[float]]]:
    """The logarithmic weight of every token of the chosen and of the rejected answer, its end among them."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = str(Workspace(PROJECT).starter)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def weighed(question: str, answer: str) -> list[float]:
        asked = [{"role": "user", "content": question}]
        before = tokenizer.apply_chat_template(asked, add_generation_prompt=True, tokenize=False)
        whole = tokenizer.apply_chat_template([*asked, {"role": "assistant", "content": answer}], tokenize=False)
        assert whole.startswith(before + answer)
        ids = tokenizer(whole, add_special_tokens=False).input_ids
        start = len(tokenizer(before, add_special_tokens=False).input_ids)
        end = max(place for place, id in enumerate(ids) if id == tokenizer.eos_token_id) + 1
        with torch.no_grad():
            chances = torch.log_softmax(model(torch.tensor([ids])).logits[0].float(), -1)
        return [float(chances[place - 1, ids[place]]) for place in range(start, end)]

    return [(weighed(one["instruction"], one["chosen"]), weighed(one["instruction"], one["rejected"]))
            for one in pairs]


def test_the_preferences_of_the_starter_are_those_that_transformers_finds(tmp_path: Path) -> None:
    pairs = json.loads((PROJECT / "data" / "preferences.json").read_text(encoding="utf-8"))[:ROWS]
    for one in pairs[::3]:  # the starter likes what it should: some pairs stand the other way round
        one["chosen"], one["rejected"] = one["rejected"], one["chosen"]
    path = tmp_path / "pairs.json"
    path.write_text(json.dumps(pairs), encoding="utf-8")
    spec = admit({"eval_models": ["starter"], "dataset": [str(path)], "task": "likelihood", "cpu_threads": 1,
                  "compute_type": "fp32"}, Workspace(tmp_path), paths=True)
    folder = RunFolder(tmp_path / "saves" / "weighed")
    folder.path.mkdir(parents=True)
    folder.spec.write_text(frozen.freeze(spec, "2026-01-01T00:00:00", {}), encoding="utf-8")
    program.evaluate(Studio(tmp_path).job(folder))

    found = list(read(folder.results / NAME))
    wanted = weights(pairs)
    assert [one.reference for one in found] == [pair["chosen"] for pair in pairs]
    for one, (chosen, rejected) in zip(found, wanted, strict=True):
        assert one.parts["loss"][:2] == pytest.approx((-sum(chosen), len(chosen)), abs=2e-3)
        assert one.scores["preference"] == float(sum(chosen) > sum(rejected))
        by_token = sum(chosen) / len(chosen) > sum(rejected) / len(rejected)
        assert one.scores["preference_normalised"] == float(by_token)
    told = json.loads((folder.results / "scores.json").read_text(encoding="utf-8"))["scores"]["starter"]
    shares = [sum(chosen) > sum(rejected) for chosen, rejected in wanted]
    assert told["preference"]["value"] == pytest.approx(sum(shares) / ROWS) and told["preference"]["n"] == ROWS
    assert 0 < sum(shares) < ROWS  # a test in which all pairs fall on one side could not fail
