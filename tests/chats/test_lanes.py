"""Which weights a name means: runs, their checkpoints, models, folders; and what is wrong with a name."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from studio.chats import lanes
from studio.chats.lanes import lane
from studio.errors import InputError
from studio.runs.files import RunFolder
from studio.workspace import PROJECT, Workspace

STARTER = PROJECT / "data" / "starter"


def run(workspace: Workspace, name: str, *steps: int, spec: str = "", best: int | None = None, kind: str = "lora",
        whole: bool = True) -> RunFolder:
    """A run with checkpoints; `best` has the lowest evaluation loss."""
    folder = RunFolder(workspace.saves / name)
    folder.path.mkdir(parents=True, exist_ok=True)
    folder.spec.write_text(f"model_name_or_path: starter\nfinetuning_type: {kind}\ntemplate: own\n{spec}")
    for step in steps:
        place = folder.checkpoint(step)
        place.mkdir(parents=True)
        if kind == "lora":
            adapter(place)
        elif kind == "prefix":
            (place / "prefix_config.json").write_text(json.dumps({"base_model_name_or_path": str(STARTER)}))
        else:
            shutil.copytree(STARTER, place, dirs_exist_ok=True)
        loss = None if best is None else 0.1 if step == best else 0.5
        (place / "state.json").write_text(json.dumps({"step": step, "eval_loss": loss}))
        if whole:
            (place / "complete").touch()
    return folder


def adapter(place: Path, base: str = str(STARTER), kind: str = "LORA") -> Path:
    place.mkdir(parents=True, exist_ok=True)
    (place / "adapter_config.json").write_text(json.dumps({"peft_type": kind, "base_model_name_or_path": base}))
    (place / "adapter_model.safetensors").write_bytes(b"x" * 1000)
    return place


def code(name: str, workspace: Workspace, **more: object) -> str:
    with pytest.raises(InputError) as refused:
        lane(name, workspace, **more)
    return refused.value.code


def test_a_runs_name_means_its_result_and_says_which(workspace: Workspace) -> None:
    run(workspace, "a", 10, 20, 30, best=20, spec="quantization_bit: 4\ndefault_system: Be brief.\n")
    run(workspace, "b", 10, 20)
    run(workspace, "c", 10, 20, best=10, spec="load_best_model_at_end: false\n")
    found = lane("a", workspace)
    assert (found.kind, found.run, found.step, found.chosen, found.base) == ("lora", "a", 20, "best", STARTER)
    assert (found.quantization_bit, found.default_system, found.template) == (4, "Be brief.", "own")
    assert [(lane(name, workspace).step, lane(name, workspace).chosen) for name in "bc"] == [(20, "last"), (20, "last")]
    exact = lane("a/step-30", workspace)
    assert (exact.step, exact.chosen, exact.adapter) == (30, "", RunFolder(workspace.saves / "a").checkpoint(30))


def test_every_kind_of_checkpoint_is_a_lane(workspace: Workspace) -> None:
    run(workspace, "p", 5, kind="prefix")
    run(workspace, "f", 5, kind="full")
    assert lane("p", workspace).kind == "prefix"
    whole = lane("f", workspace)
    assert whole.kind == "whole" and whole.adapter is None and whole.base == whole.folder
    assert whole.base.name == "step-5" and whole.base_name == "f"


def test_models_and_folders_are_lanes(workspace: Workspace, tmp_path: Path) -> None:
    shutil.copytree(STARTER, workspace.models / "mine")
    loose = adapter(tmp_path / "elsewhere" / "adapter")
    assert lane("starter", workspace).base == STARTER and lane("mine", workspace).kind == "base"
    found = lane(str(loose), workspace)
    assert (found.kind, found.base, found.adapter) == ("lora", STARTER, loose)
    inside = run(workspace, "r", 7).checkpoint(7)
    assert (lane(str(inside), workspace).run, lane(str(inside), workspace).step) == ("r", 7)
    base = lane("mine", workspace)
    assert lane("base", workspace, base).base == workspace.models / "mine"
    assert lane("r", workspace, base).base == STARTER, "a copy of the same model is the same model"


def test_an_adapter_without_its_base_takes_the_given_one(workspace: Workspace, tmp_path: Path) -> None:
    loose = str(adapter(tmp_path / "x", "/nowhere/model"))
    assert code(loose, workspace) == "adapter_base_missing"
    assert lane(loose, workspace, lane("starter", workspace)).base == STARTER


def test_what_is_wrong_with_a_name_is_said(workspace: Workspace, tmp_path: Path) -> None:
    run(workspace, "arithmetic-lora", 10)
    run(workspace, "writing", 10, whole=False)
    run(workspace, "stacked", 10, spec="adapter_name_or_path: [one, two]\n")
    adapter(tmp_path / "ia3", kind="IA3")
    other = workspace.models / "other"
    shutil.copytree(STARTER, other)
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps({**config, "rope_theta": 12345.0}))
    assert code("arithmetic-lra", workspace) == "lane_unknown_near"
    assert code("", workspace) == "lane_unknown" and code("base", workspace) == "lane_no_base"
    assert code("writing", workspace) == "lane_no_checkpoint"
    assert code("writing/step-10", workspace) == "checkpoint_incomplete"
    assert code("arithmetic-lora/step-11", workspace) == "checkpoint_unknown"
    assert code("stacked", workspace) == "lane_stacked" and code(str(tmp_path / "ia3"), workspace) == "adapter_kind"
    assert code("arithmetic-lora", workspace, base=lane("other", workspace)) == "adapter_other_base"
    assert code("x" * 5000, workspace).startswith("lane_unknown") and code("a\0b", workspace).startswith("lane_unknown")


@pytest.mark.parametrize("name", ["/etc", "../", ".", "..", "../../etc", "arithmetic/../../x", "~", "/"])
def test_a_name_from_elsewhere_leads_out_of_nothing(workspace: Workspace, tmp_path: Path, name: str) -> None:
    shutil.copytree(STARTER, tmp_path.parent / "outside", dirs_exist_ok=True)
    assert code(name, workspace, paths=False).startswith(("lane_unknown", "model_no_config"))
    assert code(str(tmp_path.parent / "outside"), workspace, paths=False).startswith("lane_unknown")


def test_what_is_offered_is_whole_and_newest_first(workspace: Workspace) -> None:
    run(workspace, "old", 10, 20, best=10, spec="created: '2026-01-01T00:00:00'\n")
    run(workspace, "new", 5, spec="created: '2026-02-01T00:00:00'\n")
    run(workspace, "writing", 5, whole=False)
    run(workspace, "lost-base", 5, spec="")
    (workspace.saves / "lost-base" / "spec.yaml").write_text("model_name_or_path: /gone\nfinetuning_type: lora\n")
    os.utime(workspace.saves / "lost-base" / "spec.yaml", (0, 0))
    names = [one.name for one in lanes.offered(workspace)]
    assert names == ["starter", "new", "new/step-5", "old", "old/step-20", "old/step-10"]


def test_a_change_on_disk_changes_the_fingerprint(workspace: Workspace) -> None:
    folder = run(workspace, "a", 10)
    found = lane("a", workspace)
    before = found.fingerprint()
    assert before == lane("a", workspace).fingerprint()
    (folder.checkpoint(10) / "state.json").write_text("{}")
    assert found.fingerprint() == before, "figures of an evaluation change no answer"
    (folder.checkpoint(10) / "adapter_model.safetensors").write_bytes(b"y" * 1000)
    assert found.fingerprint() != before


def test_the_cost_is_known_before_loading(workspace: Workspace) -> None:
    run(workspace, "a", 10)
    plain = lanes.estimate(lane("starter", workspace), dtype="fp32")
    weights = 943_232
    assert plain.bytes - lanes.PROCESS_BYTES == weights * 4
    assert lanes.estimate(lane("starter", workspace), 4).bytes - lanes.PROCESS_BYTES == weights // 2
    assert lanes.estimate(lane("starter", workspace), dtype="bf16").cache_bytes_per_token * 2 \
        == plain.cache_bytes_per_token
    assert lanes.estimate(lane("a", workspace), dtype="fp32").bytes == plain.bytes + 1000
    assert plain.fits and not lanes.Cost(100, 1, 99).fits and lanes.Cost(100, 1, None).fits
