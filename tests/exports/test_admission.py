"""What is refused before an export begins: every problem at once, each beside its argument, with its remedy."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from studio.errors import Problem, SpecError
from studio.exports import admission, source
from studio.exports.forecast import forecast
from studio.plugins.exporters import exporter
from studio.prepare import parts
from studio.records import write_json
from studio.texts.errors import of_problem
from studio.workspace import Workspace
from tests.exports.a_run import a_base, a_run, at_work, lora


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    (tmp_path / "saves").mkdir()
    return Workspace(tmp_path)


def refused(workspace: Workspace, **draft: Any) -> list[Problem]:
    """The problems of a draft; every one has a sentence in both languages."""
    with pytest.raises(SpecError) as caught:
        admission.admit({"stage": "export", **draft}, workspace)
    for problem in caught.value.problems:
        for lang in ("en", "zh"):
            said = of_problem(lang, problem)
            assert said and "{" not in said
    return list(caught.value.problems)


def codes(workspace: Workspace, **draft: Any) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in refused(workspace, **draft)]


def test_the_checkpoint_that_a_run_stands_for_is_written_into_the_spec(workspace: Workspace) -> None:
    a_run(workspace)
    spec = admission.admit({"model_name_or_path": "tuned"}, workspace)
    assert (spec.model_name_or_path, spec.stage, spec.export_to) == ("tuned/step-10", "export", "merged")
    assert admission.admit({"model_name_or_path": "tuned/step-20"}, workspace).model_name_or_path == "tuned/step-20"


def test_all_that_is_wrong_is_told_at_once(workspace: Workspace) -> None:
    found = codes(workspace, model_name_or_path="nobody", export_dir="/elsewhere", export_size=0, lora_rank=4,
                  output_dir="../x", dataset=["nothing"])
    assert {field for field, _ in found} == {"model_name_or_path", "export_dir", "export_size", "lora_rank",
                                             "output_dir", "dataset"}


def test_of_a_run_at_work_the_last_complete_step_is_offered(workspace: Workspace) -> None:
    run = a_run(workspace)
    at_work(run)
    problem, = refused(workspace, model_name_or_path="tuned")
    assert (problem.code, problem.values["step"]) == ("run_still_training", "tuned/step-20")
    assert admission.admit({"model_name_or_path": "tuned/step-20"}, workspace).model_name_or_path == "tuned/step-20"
    shutil.rmtree(run.checkpoints)
    assert codes(workspace, model_name_or_path="tuned")[0][0] == "model_name_or_path"


def test_a_base_that_is_gone_or_has_changed_is_noticed(workspace: Workspace) -> None:
    base = a_base(workspace)
    a_run(workspace, base=base)
    assert admission.admit({"model_name_or_path": "tuned"}, workspace)
    shutil.copytree(base, workspace.root / "kept")
    weights = base / "model.safetensors"
    text = bytearray(weights.read_bytes())
    text[-1] ^= 1
    weights.write_bytes(text)
    assert codes(workspace, model_name_or_path="tuned") == [("model_name_or_path", "base_changed")]
    shutil.rmtree(base)
    assert codes(workspace, model_name_or_path="tuned") == [("model_name_or_path", "base_gone")]
    shutil.copytree(workspace.root / "kept", base)
    assert admission.admit({"model_name_or_path": "tuned"}, workspace)


def test_an_adapter_of_another_base_is_refused_by_its_shapes(workspace: Workspace) -> None:
    base = a_base(workspace)
    lora(workspace.root / "theirs", base, wider=3)
    assert codes(workspace, model_name_or_path=str(workspace.root / "theirs")) == [
        ("model_name_or_path", "adapter_misfit")]
    assert codes(workspace, model_name_or_path="mine", adapter_name_or_path=[str(workspace.root / "theirs")]) == [
        ("adapter_name_or_path", "adapter_misfit")]
    lora(workspace.root / "ours", base)
    assert admission.admit({"model_name_or_path": "mine", "adapter_name_or_path": [str(workspace.root / "ours")]},
                           workspace)


def test_a_target_is_free_and_below_the_root(workspace: Workspace) -> None:
    (workspace.root / "taken").mkdir()
    for target, code in (("taken", "export_exists"), ("../out", "export_outside"), (".", "export_outside"),
                         ("/", "export_outside")):
        assert codes(workspace, model_name_or_path="starter", export_dir=target) == [("export_dir", code)]
    assert admission.admit({"model_name_or_path": "starter", "export_dir": "free/one"}, workspace)


def test_a_form_that_cannot_be_made_of_the_source_names_those_that_can(workspace: Workspace) -> None:
    problem, = refused(workspace, model_name_or_path="starter", export_to="adapter")
    assert problem.code == "form_not_of_kind" and "merged" in problem.values["known"]
    assert "adapter" not in problem.values["known"]


def test_pickles_are_refused_with_the_verb_that_converts_them(workspace: Workspace) -> None:
    for name, file in (("theirs", "adapter_model.bin"), ("glm", "chatglm-lora.pt"), ("whole", "pytorch_model.bin")):
        folder = workspace.models / name
        folder.mkdir(parents=True)
        (folder / file).write_bytes(b"\x80\x02N.")
        (folder / "adapter_config.json").write_text(json.dumps({"peft_type": "LORA"}))
        problem, = refused(workspace, model_name_or_path=name)
        assert (problem.code, problem.values["found"]) == ("model_only_pickles", [file])
        assert "launch.py convert" in of_problem("en", problem)


def test_a_disk_without_room_is_noticed_before(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1000))
    assert codes(workspace, model_name_or_path="starter") == [("export_dir", "disk_short")]


def test_a_missing_part_is_named_with_what_installs_it(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "is_installed", lambda name: False)
    from studio.plugins import exporters

    monkeypatch.setattr(exporter("merged"), "needs", lambda: exporters.require("onnx"), raising=False)
    problem, = refused(workspace, model_name_or_path="starter")
    assert (problem.field, problem.code) == ("export_to", "part_missing")
    assert "launch.py install onnx" in of_problem("en", problem)


def test_a_forecast_says_size_memory_and_time(workspace: Workspace) -> None:
    spec = admission.admit({"model_name_or_path": "starter"}, workspace)
    found = source.find(spec, workspace)
    wanted = forecast(spec, found, workspace)
    weights = (found.base / "model.safetensors").stat().st_size
    assert weights <= wanted.bytes < weights + (32 << 20)
    assert wanted.fits and not wanted.measured and wanted.seconds and wanted.seconds > 1
    write_json_record(workspace, wanted.bytes, seconds=40.0)
    again = forecast(spec, found, workspace)
    assert again.measured and again.seconds == pytest.approx(40.0)


def write_json_record(workspace: Workspace, size: int, seconds: float) -> None:
    results = workspace.saves / "earlier" / "results"
    results.mkdir(parents=True)
    write_json(results / "export.json", {"form": "merged", "bytes": size, "seconds": seconds})


def test_what_is_quantized_already_is_not_quantized_again(workspace: Workspace) -> None:
    base = a_base(workspace)
    config = json.loads((base / "config.json").read_text())
    tensors = {name: np.zeros((4, 1), np.uint8) for name in ("model.layers.0.self_attn.q_proj.weight",)}
    save_file(tensors, base / "model.safetensors")
    assert codes(workspace, model_name_or_path="mine") == [("model_name_or_path", "model_dtype")]
    (base / "config.json").write_text(json.dumps({**config, "quantization_config": {"quant_method": "bitsandbytes"}}))
    assert codes(workspace, model_name_or_path="mine", export_to="quantized") == [
        ("model_name_or_path", "quantized_twice")]
