"""What the microscope shows is what a run trains on: batches are taken from real runs and compared token by token."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from studio.data.catalogue import Catalogue
from studio.data.chat import NOT_TRAINED, ChatTokenizer
from studio.data.microscope import look
from studio.data.preview import preview
from studio.data.walk import walk
from studio.plugins import kinds
from studio.sample import Sample
from studio.workspace import PROJECT, Workspace
from tests.engine.workbench import Studio, make_model

TOKENIZERS = PROJECT.parent / "shared" / "data" / "tokenizers"
TALKS = [
    {"conversations": [{"from": "human", "value": "Write 251 in words. 请写出来"},
                       {"from": "gpt", "value": "two hundred fifty-one 😀"},
                       {"from": "human", "value": "再说一遍 😀"}, {"from": "gpt", "value": "二百五十一 ½ é"}]},
    {"conversations": [{"from": "human", "value": "Long?"}, {"from": "gpt", "value": "yes, 很长 " * 60}]},
    {"conversations": [{"from": "human", "value": "too long a question " * 80}, {"from": "gpt", "value": "no"}]},
    {"conversations": [{"from": "system", "value": "你很简短。"}, {"from": "human", "value": "hi"},
                       {"from": "gpt", "value": "def f(x):\n\treturn x"}]},
]
CUTOFF = 96


def model(folder: Path, tokenizer: str) -> str:
    """A tiny model with random weights and a published tokenizer; skips where that is not beside the checkout."""
    if not (TOKENIZERS / tokenizer).is_dir():
        pytest.skip("needs the tokenizers beside the checkout")
    known = ChatTokenizer.load(TOKENIZERS / tokenizer, "alpaca")
    make_model(folder, "llama", hidden_size=8, intermediate_size=8, num_attention_heads=2, num_key_value_heads=1,
               vocab_size=known.vocabulary, num_hidden_layers=1, max_position_embeddings=128)
    for path in (TOKENIZERS / tokenizer).iterdir():
        shutil.copyfile(path, folder / path.name)
    if not (TOKENIZERS / tokenizer / "tokenizer.json").is_file():
        (folder / "tokenizer.json").unlink()
    return str(folder)


@pytest.mark.parametrize(("tokenizer", "template"), [
    ("qwen2.5", "own"), ("minimind", "own"), ("chatglm3-hf", "chatml"), ("gpt2", "alpaca")])
@pytest.mark.parametrize("more", [{}, {"mask_history": True}, {"train_on_prompt": True}],
                         ids=["answers", "last_answer", "prompt_too"])
def test_the_microscope_shows_the_very_batches_of_a_run(
    tokenizer: str, template: str, more: dict[str, Any], studio: Studio, tmp_path: Path
) -> None:
    compare(tokenizer, template, more, studio, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("template", [name for name in kinds("templates") if name != "own"])
def test_the_microscope_shows_the_very_batches_with_every_named_template(
    template: str, studio: Studio, tmp_path: Path
) -> None:
    compare("minimind", template, {}, studio, tmp_path)


def compare(tokenizer: str, template: str, more: dict[str, Any], studio: Studio, tmp_path: Path) -> None:
    """Train an epoch, hear its batches, and look at the same rows under the microscope and in the preview."""
    (studio.root / "data" / "talks.json").write_text(json.dumps(TALKS * 3), encoding="utf-8")
    folder = studio.run("one", model_name_or_path=model(tmp_path / "model", tokenizer), template=template, val_size=0,
                        eval_strategy="no", finetuning_type="full", cutoff_len=CUTOFF, num_train_epochs=1.0,
                        save_strategy="no", **more)
    trained = batches(studio, folder)
    chat = ChatTokenizer.load(tmp_path / "model", template)
    entry = Catalogue(Workspace(studio.root)).entry("talks")
    slides = [look(chat, sample, CUTOFF, **more) for _, _, sample in walk(entry) if isinstance(sample, Sample)]
    shown = sorted((slide.ids, learned(slide.labels)) for slide in slides if not slide.reason)
    assert shown == sorted(trained)
    assert any(slide.cut for slide in slides) and any(learned(slide.labels) for slide in slides)
    listed = [row.plain() for row in preview(entry, chat, 99, CUTOFF, **more)]
    assert sorted((row["input_ids"], learned(row["labels"])) for row in listed) == shown


def batches(studio: Studio, folder: Any) -> list[tuple[list[int], list[tuple[int, int]]]]:
    """(ids, (place, id) of what is learned) of every row that the run's loss was computed on, over one epoch."""
    trainer, found = studio.trainer(folder), []
    loss_sum = trainer.network.loss_sum

    def heard(batch: Any) -> Any:
        assert batch.mask is None, "a flattened batch is expected"
        ids, start = batch.ids[0].tolist(), 0
        wanted = dict(zip(batch.labelled.tolist(), batch.targets.tolist(), strict=True))
        for length in batch.lengths:
            if start < batch.tokens:  # what follows is padding
                row = range(start, start + length)
                found.append((ids[start:start + length],
                              [(place - start + 1, wanted[place]) for place in row if place in wanted]))
            start += length
        return loss_sum(batch)

    trainer.network.loss_sum = heard
    trainer.train()
    return found


def learned(labels: list[int]) -> list[tuple[int, int]]:
    """(place, id) of what is learned; nothing stands before the first token, from which it could be."""
    return [(place, one) for place, one in enumerate(labels) if place and one != NOT_TRAINED]
