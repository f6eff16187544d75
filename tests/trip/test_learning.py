"""What a user counts on while a model learns: batches add up, the best is kept, patience ends, adapters go on."""

from __future__ import annotations

import json
import shutil

import pytest

from tests.cli.client import wait
from tests.trip.trip import Trip

pytestmark = pytest.mark.slow

BRIEF = ("logging_steps=1", "eval_strategy=no", "max_steps=12", "max_samples=400")


def test_batches_add_up_and_packing_learns(trip: Trip) -> None:
    trip.start("eight-by-one", *BRIEF, "per_device_train_batch_size=8", "gradient_accumulation_steps=1")
    trip.start("one-by-eight", *BRIEF, "per_device_train_batch_size=1", "gradient_accumulation_steps=8")
    packed = ("packing=true", "cutoff_len=128", "per_device_train_batch_size=2")
    assert trip.finished("packed", *BRIEF, *packed)["steps"] == 12
    for name in ("eight-by-one", "one-by-eight"):
        wait(lambda name=name: trip.state(name) == "finished")
    wide, deep, packs = (dict(trip.losses(name)) for name in ("eight-by-one", "one-by-eight", "packed"))
    assert list(wide) == list(deep) == list(range(1, 13))
    assert list(wide.values()) == pytest.approx(list(deep.values()), abs=2e-4)
    for curve in (wide, packs):
        assert curve[12] < 0.7 * curve[1]


def test_fewer_rows_than_one_batch_just_work(trip: Trip) -> None:
    (trip.root / "data").mkdir(exist_ok=True)
    for name, rows in (("single", 1), ("trio", 3)):
        text = [{"instruction": f"{number} + 1 = ?", "output": f"{number + 1}"} for number in range(rows)]
        (trip.root / "data" / f"{name}.json").write_text(json.dumps(text))
        words = ("per_device_train_batch_size=64", "gradient_accumulation_steps=4", "logging_steps=1")
        result = trip.finished(name, f"dataset={name}", *words, "num_train_epochs=2")
        assert result["steps"] == 2
        assert result["train_loss"] > 0
        learned = trip.record(name, "data.json")[name]
        assert learned["rows"] + learned["held_out"] == rows and len(learned["fingerprint"]) == 64


def test_patience_ends_the_run_and_the_best_is_kept(trip: Trip) -> None:
    """A learning rate at which the held-out loss soon rises again."""
    words = ("finetuning_type=full", "learning_rate=0.02", "lr_scheduler_type=constant", "warmup_ratio=0")
    often = ("eval_steps=2", "save_steps=2", "save_total_limit=1", "load_best_model_at_end=true")
    stops = ("early_stopping_patience=3", "max_steps=400", "max_samples=64", "logging_steps=1")
    result = trip.finished("patient", *words, *often, *stops)
    scores = {row["step"]: row["eval_loss"] for row in trip.rows("patient") if "eval_loss" in row}
    best = min(scores, key=lambda step: scores[step])
    assert result["steps"] == max(scores) < 400
    assert result["steps"] == best + 6, "three evaluations without a better one"
    assert trip.steps("patient") == [best, result["steps"]], "the limit deletes neither the best nor the last"
    assert result["eval_loss"] == scores[best]


def test_an_adapter_goes_on_and_a_new_one_starts_on_merged_weights(trip: Trip) -> None:
    first = trip.finished("first", *BRIEF)
    start = trip.losses("first")[0][1]
    trip.start("second", *BRIEF, "adapter_name_or_path=first", "max_steps=3")
    trip.finished(
        "third", *BRIEF, "adapter_name_or_path=first", "create_new_adapter=true", "lora_rank=2", "max_steps=3"
    )
    wait(lambda: trip.state("second") == "finished")
    for name, rank in (("second", 8), ("third", 2)):
        assert trip.losses(name)[0][1] < (start + first["train_loss"]) / 2, "it begins where the first one ended"
        config = trip.folder(name) / "checkpoints" / "step-3" / "adapter_config.json"
        assert json.loads(config.read_text())["r"] == rank
    chosen = trip("train", "--dry-run", "--json", *BRIEF, "adapter_name_or_path=first/step-12")
    assert chosen.returncode == 0, chosen.stderr
    shutil.rmtree(trip.folder("first") / "checkpoints")
    refused = trip("train", *BRIEF, "adapter_name_or_path=first")
    assert refused.returncode == 2
    assert "first" in refused.stderr and refused.stderr.count("\n") == 1
