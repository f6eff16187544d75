"""What loading several models takes: a base once, each checkpoint on it by its own weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from studio.chats.lanes import lane
from studio.cli.models import needed
from studio.workspace import Workspace


def test_a_checkpoint_beside_its_base_costs_its_own_weights_only(tmp_path: Path) -> None:
    base = lane("starter", Workspace(tmp_path))
    (tmp_path / "adapter_model.safetensors").write_bytes(bytes(1000))
    tuned = replace(base, name="tuned", kind="lora", adapter=tmp_path)
    added, _ = needed([base, tuned], None, "fp32")
    assert added["tuned"] == 1000 and added["starter"] > 3_600_000
    alone, _ = needed([tuned], None, "fp32")
    assert alone["tuned"] == added["starter"] + 1000
