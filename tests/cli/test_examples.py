"""Every recipe in examples/ trains the starter model to its end, within a minute."""

from __future__ import annotations

import json
import time

import pytest

from tests.cli.client import PROJECT, Client

RECIPES = sorted((PROJECT / "examples").glob("*.yaml"))


def test_there_is_a_recipe_for_each_tuner() -> None:
    from studio.plugins import kinds

    assert {path.stem for path in RECIPES} >= {f"sft_{tuner}" for tuner in kinds("tuners")}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_explained_in_both_languages(path) -> None:
    from studio.args import document
    from studio.specs.train import check

    head = path.read_text(encoding="utf-8").splitlines()[:2]
    assert head[0].isascii() or "—" in head[0]
    assert not head[1].isascii()
    assert check(document.read(path)).finetuning_type == path.stem.removeprefix("sft_")


@pytest.mark.slow
@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_trains(client: Client, path) -> None:
    began = time.monotonic()
    done = client("train", str(path), "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["state"] == "finished"
    log = client.root / "saves" / result["run"] / "trainer_log.jsonl"
    losses = [row["loss"] for row in map(json.loads, log.read_text().splitlines()) if "loss" in row]
    assert losses[-1] < losses[0]
    assert time.monotonic() - began < 120  # a minute on a machine that does nothing else
