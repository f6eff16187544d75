"""A run that was stopped or killed and resumed has the losses of the unbroken run."""

from __future__ import annotations

import json
import signal
from typing import Any

import pytest

from tests.engine.workbench import Studio, log, losses, phase, wait_for_step

DRAFTS = {
    "lora": dict(lora_dropout=0.2, gradient_accumulation_steps=2, neftune_noise_alpha=5.0),
    "full": dict(finetuning_type="full", gradient_accumulation_steps=2),
    "prefix": dict(finetuning_type="prefix", learning_rate=1e-2),
}


@pytest.mark.parametrize("tuner", DRAFTS)
def test_a_killed_run_goes_on_as_if_nothing_had_been(tuner: str, studio: Studio, llama: str) -> None:
    draft: dict[str, Any] = dict(model_name_or_path=llama, save_steps=3, num_train_epochs=4.0, **DRAFTS[tuner])
    whole = studio.run("whole", **draft)
    studio.here(whole)
    broken = studio.run("broken", **draft)
    process = studio.start(broken)
    wait_for_step(broken, 8)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert studio.engine(broken) == 0
    assert any("resumed" in line for line in broken.log.read_text().splitlines())
    expected, found = losses(whole), losses(broken)
    assert expected.keys() == found.keys() and len(expected) > 12
    assert all(abs(expected[step] - found[step]) < 5e-5 for step in expected)
    tokens = [[line["tokens"] for line in log(run) if "tokens" in line] for run in (whole, broken)]
    assert tokens[0] == tokens[1]


def test_an_asked_stop_saves_where_it_stands_and_goes_on_exactly(studio: Studio, llama: str) -> None:
    draft: dict[str, Any] = dict(model_name_or_path=llama, save_steps=1000, num_train_epochs=30.0, val_size=0)
    whole = studio.run("whole", **draft)
    studio.here(whole)
    broken = studio.run("broken", **draft)
    process = studio.start(broken)
    wait_for_step(broken, 5)
    broken.stop.touch()
    assert process.wait(timeout=20) == 0 and phase(broken) == "stopped"
    assert broken.complete_steps()
    broken.stop.unlink()
    assert studio.engine(broken) == 0 and phase(broken) == "finished"
    expected, found = losses(whole), losses(broken)
    assert all(abs(expected[step] - found[step]) < 5e-5 for step in expected)


def test_a_checkpoint_with_the_model_only_says_that_its_optimizer_starts_anew(studio: Studio, llama: str) -> None:
    draft: dict[str, Any] = dict(model_name_or_path=llama, save_only_model=True)
    run = studio.run("run", max_steps=4, **draft)
    assert studio.engine(run) == 0
    spec = run.spec.read_text().replace("max_steps: 4", "max_steps: 6")
    run.spec.write_text(spec)
    assert studio.engine(run) == 0
    assert "fresh optimizer" in run.console.read_text() and 6 in losses(run)


def test_an_incomplete_checkpoint_is_cleared_away(studio: Studio, llama: str) -> None:
    run = studio.run("run", model_name_or_path=llama, max_steps=3)
    half = run.checkpoint(99)
    half.mkdir(parents=True)
    (half / "state.json").write_text("{}")
    assert studio.engine(run) == 0
    assert run.complete_steps() == [3] or run.complete_steps()[-1] == 3
    assert not half.exists()


def test_the_limit_deletes_neither_the_best_nor_the_newest(studio: Studio, llama: str) -> None:
    from studio.engine import checkpoint
    from studio.runs.checkpoints import checkpoints

    run = studio.run("run", model_name_or_path=llama, eval_steps=2, save_steps=2, max_steps=10, save_total_limit=2,
                     learning_rate=2e-2)
    assert studio.engine(run) == 0
    kept = checkpoints(run)
    evaluated = {line["step"]: line["eval_loss"] for line in log(run) if "eval_loss" in line}
    assert len(kept) == 2 and kept[-1].step == 10
    assert min(evaluated, key=lambda step: evaluated[step]) in [one.step for one in kept]
    (run.checkpoint(kept[0].step) / "state.json").write_text(json.dumps({"eval_loss": -1.0}))
    checkpoint.prune(run, 1, kept[0].step)
    assert run.complete_steps() == [kept[0].step, 10]


def test_early_stopping_waits_for_its_patience(studio: Studio, llama: str) -> None:
    run = studio.run("run", model_name_or_path=llama, eval_steps=1, max_steps=12, early_stopping_patience=3,
                     early_stopping_threshold=100.0)
    assert studio.engine(run) == 0 and phase(run) == "finished"
    assert max(losses(run)) == 4 and run.complete_steps()[-1] == 4
