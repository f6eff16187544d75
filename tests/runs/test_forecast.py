"""The forecast agrees with the arithmetic of the run, is quick, and never loads torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from studio.errors import InputError
from studio.runs.forecast import forecast, free_memory, gpus
from studio.runs.speed import measured
from tests.runs.conftest import bytes_read

PROJECT = Path(__file__).resolve().parents[2]


def data(bench, rows: int = 200, name: str = "mine") -> None:
    bench.workspace.data.mkdir(parents=True, exist_ok=True)
    (bench.workspace.data / "dataset_info.json").write_text(json.dumps({name: {"file_name": f"{name}.json"}}))
    row = {"instruction": "How much is one and one?", "input": "", "output": "Two."}
    (bench.workspace.data / f"{name}.json").write_text(json.dumps([row] * rows))


def test_rows_steps_and_epochs_are_those_of_the_schedule(bench) -> None:
    data(bench)
    seen = forecast(bench.spec(dataset=["mine"], per_device_train_batch_size=8), bench.workspace)
    assert (seen.rows, seen.eval_rows) == (190, 10)
    assert (seen.steps, seen.epochs) == (72, 3.0)
    capped = forecast(bench.spec(dataset=["mine"], max_samples=50, val_size=0, max_steps=5), bench.workspace)
    assert (capped.rows, capped.eval_rows, capped.steps) == (50, 0, 5)
    own = forecast(bench.spec(dataset=["mine"], eval_dataset=["mine"], max_samples=20), bench.workspace)
    assert (own.rows, own.eval_rows) == (20, 20)


@pytest.mark.parametrize("tuner", ["lora", "full", "freeze", "prefix"])
def test_sizes_are_in_proportion(bench, tuner: str) -> None:
    data(bench)
    seen = forecast(bench.spec(dataset=["mine"], finetuning_type=tuner), bench.workspace)
    assert 0 < seen.trainable <= seen.parameters and (tuner == "full") == (seen.trainable == seen.parameters)
    assert 4e8 < seen.memory_bytes < 8e8 and seen.memory_free > 0
    assert 12 * seen.trainable <= seen.disk_bytes < 60 * seen.parameters
    assert seen.learning_rate and seen.seconds and 1 < seen.seconds < 3600


def test_a_model_that_is_not_here_leaves_its_figures_open(bench) -> None:
    data(bench)
    seen = forecast(bench.spec(dataset=["mine"], model_name_or_path="some/model"), bench.workspace)
    assert seen.rows == 190 and seen.parameters is seen.trainable is seen.memory_bytes is seen.disk_bytes is None
    assert seen.seconds is None


def test_a_dataset_that_is_not_there_is_said(bench) -> None:
    with pytest.raises(InputError) as refused:
        forecast(bench.spec(dataset=["nonsuch"]), bench.workspace)
    assert refused.value.code.startswith("dataset_unknown")


def test_an_earlier_run_of_the_same_kind_tells_the_speed(bench) -> None:
    data(bench)
    folder = bench.create("earlier", dataset=["mine"])
    rows = [{"step": step, "loss": 1.0, "tokens_per_second": speed} for step, speed in enumerate((10, 100, 90, 110))]
    folder.log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    spec = bench.spec(dataset=["mine"])
    assert measured(spec, bench.workspace) == 100
    seen = forecast(spec, bench.workspace)
    assert seen.measured and seen.seconds > 30
    assert measured(bench.spec(dataset=["mine"], finetuning_type="full"), bench.workspace) is None


def test_a_forecast_reads_the_data_once_and_needs_no_torch(bench) -> None:
    data(bench, 5000)
    spec = bench.spec(dataset=["mine"])
    before = bytes_read()
    forecast(spec, bench.workspace)
    first, before = bytes_read() - before, bytes_read()
    forecast(spec, bench.workspace)
    assert bytes_read() - before < first / 2
    code = ("import sys; from studio.runs.forecast import forecast; from studio.specs import train;"
            "from studio.workspace import Workspace; forecast(train.check({}), Workspace.at());"
            "assert not {'torch', 'transformers', 'gradio'} & set(sys.modules)")
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True,
                   env={**os.environ, "STUDIO_ROOT": str(bench.workspace.root)})


def test_free_memory_is_the_machines_where_no_gpu_is_asked() -> None:
    assert gpus("cpu") == ()
    assert free_memory("cpu") > 10_000_000
