"""ONNX exports: ONNX Runtime computes what torch computes, whole and token by token; what it cannot is said."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from studio.errors import InputError, StopAsked, WorkError
from studio.exports.source import Source
from studio.plugins.exporters import onnx as form
from studio.prepare import parts
from tests.engine.workbench import make_model
from tests.exports.holding import Desk, a_source, spec

needs_onnx = pytest.mark.skipif(not parts.is_installed("onnx"), reason="needs the optional part onnx")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Source:
    """A Llama of one layer."""
    folder = make_model(tmp_path_factory.mktemp("small"), "llama", num_hidden_layers=1, num_key_value_heads=2)
    return Source("small", Path(folder), "small")


@pytest.fixture(scope="module")
def made(small: Source, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """Exported once for all tests."""
    desk = Desk(tmp_path_factory.mktemp("made"), small)
    form.write(desk.work)
    return desk


@needs_onnx
def test_the_folder_holds_the_graph_its_numbers_and_how_the_model_speaks(made: Desk) -> None:
    names = {path.name for path in made.work.into.iterdir()}
    assert {"model.onnx", "model.onnx.data", "config.json", "tokenizer.json", "chat_template.jinja",
            "generation_config.json"} <= names
    assert not [name for name in names if name.startswith(".") or name.endswith(".safetensors")]
    assert made.said[-1][0] == "onnx_checked"


@needs_onnx
def test_read_token_by_token_it_gives_the_logits_of_torch(made: Desk, small: Source) -> None:
    import onnxruntime
    import torch
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(small.base, dtype=torch.float32).eval()
    session = onnxruntime.InferenceSession(str(made.work.into / form.GRAPH))
    ids = np.array([[5, 90, 7, 33, 12, 64, 8]])
    with torch.inference_mode():
        wanted = model(torch.from_numpy(ids), use_cache=False).logits.numpy()
    kept = {"past_key_values.0.key": np.zeros((1, 2, 0, 8), np.float32),
            "past_key_values.0.value": np.zeros((1, 2, 0, 8), np.float32)}
    for place in range(ids.shape[1]):
        logits, *later = session.run(["logits", "present.0.key", "present.0.value"], {
            "input_ids": ids[:, place:place + 1], "attention_mask": np.ones((1, place + 1), np.int64),
            "position_ids": np.array([[place]]), **kept})
        kept = dict(zip(kept, later, strict=True))
        assert np.abs(logits[0, 0] - wanted[0, place]).max() < 1e-4 * np.abs(wanted).max()


@needs_onnx
def test_the_free_sizes_are_called_what_other_programs_expect(made: Desk) -> None:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(made.work.into / form.GRAPH))
    shapes = {one.name: one.shape for one in session.get_inputs()}
    assert shapes["input_ids"] == ["batch_size", "sequence_length"]
    assert shapes["past_key_values.0.key"] == ["batch_size", 2, "past_sequence_length", 8]


@needs_onnx
def test_a_stop_ends_the_child_and_leaves_no_graph(small: Source, tmp_path: Path) -> None:
    import psutil

    desk = Desk(tmp_path, small)
    stays, children = [0], []

    def stay() -> None:
        """Somebody asks for a stop as soon as the child is at work."""
        found = psutil.Process().children()
        stays[0] += bool(found)
        children.extend(found)
        if stays[0] == 3:
            raise StopAsked("exporting")

    object.__setattr__(desk.work, "stay", stay)
    with pytest.raises(StopAsked):
        form.write(desk.work)
    assert children
    assert not any(one.is_running() for one in children)
    assert not (desk.work.into / form.GRAPH).exists()


@pytest.mark.parametrize(("report", "code"), [
    ('{"cache": true, "difference": 0.5, "allowed": 0.001}', "onnx_differs"),
    ('{"reason": "no such operator"}', "onnx_refused"), ("", "onnx_refused")])
def test_a_graph_that_computes_something_else_or_is_none_is_a_sentence_and_no_export(
        report: str, code: str, small: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = subprocess.Popen

    def child(command: list[str], **more: Any) -> Any:
        """A child that only reports."""
        told = Path(command[-1]).parent / ".report.json"
        line = f"import pathlib; {report!r} and pathlib.Path({str(told)!r}).write_text({report!r})"
        return real([sys.executable, "-c", line], **more)

    monkeypatch.setattr(form.subprocess, "Popen", child)
    with pytest.raises(WorkError) as caught:
        form.write(Desk(tmp_path, small).work)
    assert (caught.value.code, caught.value.values["family"]) == (code, "llama")


def test_without_the_optional_part_it_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "is_installed", lambda name: False)
    with pytest.raises(InputError) as caught:
        form.needs()
    assert (caught.value.code, caught.value.values["part"]) == ("part_missing", "onnx")


@pytest.mark.parametrize(("dtype", "codes"), [("auto", []), ("fp32", []), ("fp16", ["onnx_dtype"])])
def test_only_full_numbers_are_written(dtype: str, codes: list[str]) -> None:
    assert [problem.code for problem in form.refuse(a_source(), spec(export_dtype=dtype))] == codes
