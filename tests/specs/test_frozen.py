"""A run's spec.yaml says everything and is a recipe itself."""

from __future__ import annotations

from pathlib import Path

from studio.args import document
from studio.specs.frozen import HEADER, freeze, thaw, without_header
from studio.specs.train import belonging, check


def test_a_frozen_spec_comes_back_as_it_was(tmp_path: Path) -> None:
    spec = check({"learning_rate": 5e-5, "default_system": "你是助手。\n请简短回答。", "dataset": "identity",
                  "lr_scheduler_type": "cosine_with_min_lr", "lr_scheduler_kwargs": {"min_lr_rate": 0.1},
                  "output_dir": "my run"})
    path = tmp_path / "spec.yaml"
    path.write_text(freeze(spec, "2026-11-21T12:00:00+00:00", {"identity": "ab12"}), encoding="utf-8")
    again, header = thaw(path)
    assert again == spec
    assert header["fingerprints"] == {"identity": "ab12"}
    assert list(header) == list(HEADER)


def test_every_argument_of_the_run_is_written_down() -> None:
    spec = check({})
    written = document.loads(freeze(spec, "now", {}))
    assert list(without_header(written)) == [a.name for a in belonging("sft", "lora")]
    assert "你" in freeze(check({"default_system": "你好"}), "now", {})
