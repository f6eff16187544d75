"""Checkpoints: only whole ones are listed, and the result is the best unless the user says otherwise."""

from __future__ import annotations

import json

import pytest

from studio.runs.checkpoints import checkpoints, result
from studio.runs.files import RunFolder


def checkpoint(folder: RunFolder, step: int, eval_loss: float | None = None, *, whole: bool = True) -> None:
    place = folder.checkpoint(step)
    (place / "trainer").mkdir(parents=True)
    (place / "weights").write_bytes(b"x" * 1000)
    (place / "trainer" / "state").write_bytes(b"x" * 500)
    (place / "state.json").write_text(json.dumps({"step": step, "loss": 1.0, "eval_loss": eval_loss}))
    if whole:
        (place / "complete").touch()


def test_a_half_written_checkpoint_is_not_listed(bench) -> None:
    folder = bench.create()
    checkpoint(folder, 10, 2.0)
    checkpoint(folder, 9, 1.0)
    checkpoint(folder, 100, 0.5, whole=False)
    (folder.checkpoints / "step-x").mkdir()
    found = checkpoints(folder)
    seen = [(one.step, one.eval_loss, one.best, one.last) for one in found]
    assert seen == [(9, 1.0, True, False), (10, 2.0, False, True)]
    assert found[0].bytes > 1500
    assert result(folder) == found[0]


@pytest.mark.parametrize("wants_best, step", [(None, 9), (True, 9), (False, 10)])
def test_the_result_is_the_best_unless_the_last_is_asked_for(bench, wants_best, step) -> None:
    folder = bench.create(load_best_model_at_end=wants_best)
    checkpoint(folder, 9, 1.0)
    checkpoint(folder, 10, 2.0)
    assert result(folder).step == step


def test_without_evaluation_the_last_is_the_result_and_nothing_breaks(bench) -> None:
    folder = bench.create()
    assert checkpoints(folder) == [] and result(folder) is None
    checkpoint(folder, 1)
    checkpoint(folder, 2)
    (folder.checkpoint(2) / "state.json").write_text("{half")
    folder.spec.unlink()
    assert result(folder).step == 2 and not any(one.best for one in checkpoints(folder))
