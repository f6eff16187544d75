"""The acceptance test of an export: an honest artefact passes it, five broken ones fail it, each for its own reason."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import psutil
import pytest

from studio.engine.export import acceptance as engine
from studio.engine.export import replay
from studio.engine.export.runtimes import Task
from studio.engine.recorder import Recorder
from studio.engine.stopping import Stop
from studio.errors import StopAsked
from studio.exports import acceptance, rows, source
from studio.exports.acceptance import FAILED, PASSED, UNCHECKED
from studio.exports.comparison import SHOWN, Replay, measure
from studio.exports.work import Work
from studio.plugins import exporters
from studio.records import write_json
from studio.runs.files import RunFolder
from studio.specs import export
from studio.workspace import PROJECT, Workspace

WEIGHTS = "model.safetensors"


@dataclass
class Bench:
    """A source, its spelled rows and what the studio made of them; artefacts are compared with that."""

    work: Work
    room: Path
    rows: list[rows.Row]
    source: Replay

    def verdict(self, folder: Path) -> tuple[str, list[str]]:
        """The state and the codes of an artefact's folder, opened by transformers in this process."""
        into = self.room / f"{folder.name}.replay"
        replay.replay(Task("transformers", folder, self.room / "rows.json", into))
        found = measure(self.rows, self.source, Replay.read(into))
        state, reasons = acceptance.judge(found, exporters.innermost(self.work.spec).limits(self.work.spec))
        return state, [one["code"] for one in reasons]

    def broken(self, name: str, breaks: Callable[[Path], None]) -> Path:
        """A copy of the honest artefact with something broken in it."""
        folder = self.room / name
        shutil.copytree(self.work.into, folder)
        breaks(folder)
        return folder

    def made(self, name: str, **more: Any) -> Path:
        """Another artefact of the same source."""
        spec = export.check({**_draft(self.room), **more})
        work = replace(self.work, spec=spec, source=source.find(spec, self.work.workspace), into=self.room / name)
        work.into.mkdir()
        exporters.innermost(spec).write(work)
        return work.into


def _draft(room: Path) -> dict[str, Any]:
    return {"model_name_or_path": "starter", "adapter_name_or_path": [str(room / "adapter")], "export_to": "merged",
            "export_dtype": "fp32", "acceptance_rows": 6, "dataset": ["arithmetic_heldout"]}


def _adapter(folder: Path, base: Path) -> None:
    """A LoRA that changes the starter a little: it still does sums, and each layer is another."""
    import torch

    from studio.engine import adapters
    from studio.engine.answer import loaded

    folder.mkdir()
    shape = adapters.Shape(4, 8, ("q_proj", "v_proj", "down_proj"), base=str(base))
    weights = adapters.attach(loaded(base, None), shape)
    dice = torch.Generator().manual_seed(1)
    for name, weight in weights.items():
        if "lora_B" in name:
            weight.data.copy_(torch.randn(weight.shape, generator=dice) * 0.02)
    adapters.save(folder, shape, weights)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    room = tmp_path_factory.mktemp("accepted")
    workspace = Workspace(room)
    if not (workspace.starter / "config.json").is_file():
        pytest.skip("needs the starter model")
    _adapter(room / "adapter", workspace.starter)
    spec = export.check(_draft(room))
    run = RunFolder(room / "saves" / "exported")
    (room / "honest").mkdir()
    run.path.mkdir(parents=True)
    work = Work(spec, source.find(spec, workspace), workspace, run, room / "honest", room / "target",
                lambda done, of, name: None, lambda: None, lambda key, **values: None)
    exporters.innermost(spec).write(work)
    chat = work.source.chat(workspace)
    chosen = engine._with_kept(rows.choose(spec, work.source, workspace, chat).rows, 1280)
    write_json(room / "rows.json", [row.plain() for row in chosen])
    part = {"folder": str(room / "adapter"), "kind": "lora", "weight": 1.0}
    task = Task("studio", work.source.base, room / "rows.json", room / "source", parts=(part,), ends=chat.eos_ids)
    replay.replay(task)
    yield Bench(work, room, list(chosen), Replay.read(room / "source"))


@pytest.fixture
def job(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """What the engine gives an acceptance, with children that find this checkout."""
    from types import SimpleNamespace

    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{PROJECT}")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    folder = bench.work.run
    return SimpleNamespace(spec=bench.work.spec, folder=folder, recorder=Recorder(folder), stop=Stop(folder.stop),
                           workspace=bench.work.workspace)


# ---- honest ----

def test_an_honest_artefact_passes_in_children_of_its_own(bench: Bench, job: Any) -> None:
    found = engine.accept(job, bench.work)
    assert (found["state"], found["reasons"]) == (PASSED, [])
    assert found["token_agreement"] == found["answer_agreement"] == 1.0
    assert found["max_logit_difference"] < 1e-3
    assert (found["template"], found["ends"], found["rows"]) == (True, True, 6)
    assert found["endings"]["result"] == found["endings"]["source"] > 0
    assert found["from"]["names"] == ["arithmetic_heldout"]
    assert len(found["chat"]) == SHOWN
    assert json.loads((bench.work.into / acceptance.NAME).read_text(encoding="utf-8")) == found
    assert not (bench.work.run.path / "acceptance").exists()


def test_a_broken_artefact_is_told_in_words_and_recorded(
        bench: Bench, job: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def here(job: Any, room: Path, name: str, task: Any, counts: Any) -> dict[str, Any]:
        """In this process, which has the libraries; the source was replayed already."""
        if name == "source":
            shutil.copytree(bench.room / "source", room / name)
        else:
            replay.replay(Task("transformers", Path(task["opens"]), room / "rows.json", room / name))
        return {}

    monkeypatch.setattr(engine, "_replayed", here)
    folder = bench.broken("told", lambda one: _edit(one / "generation_config.json", eos_token_id=7))
    found = engine.accept(job, replace(bench.work, into=folder))
    assert found["state"] == FAILED
    headline, reasons = acceptance.told("en", found)
    assert "not the model" in headline
    assert "<|im_end|>" in reasons[0]
    assert json.loads((folder / acceptance.NAME).read_text(encoding="utf-8"))["ends"] is False


def test_the_source_was_asked_with_its_adapter_on(bench: Bench) -> None:
    assert bench.verdict(bench.made("base", adapter_name_or_path=[])) == (FAILED, ["adapter_strength"])


# ---- five sabotages ----

def test_a_wrong_template_fails(bench: Bench) -> None:
    def breaks(folder: Path) -> None:
        _write(folder / "chat_template.jinja", "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}")

    assert bench.verdict(bench.broken("template", breaks)) == (FAILED, ["template_differs"])


def test_a_lost_end_token_fails(bench: Bench) -> None:
    def breaks(folder: Path) -> None:
        _edit(folder / "generation_config.json", eos_token_id=7)

    assert bench.verdict(bench.broken("ends", breaks)) == (FAILED, ["end_lost"])


def test_a_transposed_tensor_fails(bench: Bench) -> None:
    def breaks(folder: Path) -> None:
        name = "model.layers.2.self_attn.o_proj.weight"
        _change(folder, name, lambda tensor: tensor.T.contiguous())

    assert bench.verdict(bench.broken("transposed", breaks)) == (FAILED, ["far_apart"])


def test_an_adapter_that_was_worked_in_twice_fails(bench: Bench) -> None:
    assert bench.verdict(bench.made("twice", adapter_weights=[2.0])) == (FAILED, ["adapter_strength"])


def test_another_tokenizer_fails(bench: Bench) -> None:
    assert bench.verdict(bench.broken("tokenizer", _swap_two_digits)) == (FAILED, ["tokens_differ"])


# ---- the same five in a GGUF file, opened by llama.cpp ----

needs_llama = pytest.mark.skipif(importlib.util.find_spec("llama_cpp") is None,
                                 reason="llama-cpp-python is not installed")


@pytest.fixture
def in_llama(bench: Bench, job: Any) -> Callable[..., tuple[str, list[str]]]:
    """The verdict on a GGUF file that is made of a folder, opened by llama.cpp in a child."""

    def verdict(folder: Path | str, breaks: Callable[[Path], None] = lambda file: None, **more: Any) \
            -> tuple[str, list[str]]:
        name = f"{Path(folder).name}{len(list(bench.room.iterdir()))}.gguf"
        whole = {} if folder == "starter" else {"adapter_name_or_path": []}
        into = bench.made(name, model_name_or_path=str(folder), export_to="gguf", gguf_type="f16", **whole, **more)
        file = exporters.exporter("gguf").opened(into)
        breaks(file)
        room = bench.room / f"{name}.room"
        room.mkdir()
        shutil.copy(bench.room / "rows.json", room)
        assert engine._replayed(job, room, "result", {"runtime": "llama_cpp", "opens": str(file)}, (0, 6)) == {}
        found = measure(bench.rows, bench.source, Replay.read(room / "result"))
        state, reasons = acceptance.judge(found, exporters.exporter("gguf").limits(export.check(
            {"model_name_or_path": "starter", "export_to": "gguf", "gguf_type": "f16"})))
        return state, [one["code"] for one in reasons]

    return verdict


@needs_llama
def test_an_honest_file_passes_in_llama_cpp(in_llama: Callable[..., tuple[str, list[str]]]) -> None:
    assert in_llama("starter") == (PASSED, [])


@needs_llama
def test_a_wrong_template_fails_in_llama_cpp(bench: Bench, in_llama: Callable[..., tuple[str, list[str]]]) -> None:
    folder = bench.broken("template.g", lambda one: _write(
        one / "chat_template.jinja", "{% for m in messages %}[{{ m.role }}] {{ m.content }}<|im_end|>\n{% endfor %}"))
    assert in_llama(folder) == (FAILED, ["template_differs"])


@needs_llama
def test_a_lost_end_token_fails_in_llama_cpp(bench: Bench, in_llama: Callable[..., tuple[str, list[str]]]) -> None:
    def breaks(file: Path) -> None:
        said = file.read_bytes()
        for key in (b"tokenizer.ggml.eos_token_id", b"tokenizer.ggml.eot_token_id"):
            if key in said:
                place = said.index(key) + len(key) + 4
                said = said[:place] + (7).to_bytes(4, "little") + said[place + 4:]
        # llama.cpp knows the usual end tokens by their names, too
        file.write_bytes(said.replace(b"<|im_end|>", b"<|im_fin|>", 1))

    state, codes = in_llama(bench.work.into, breaks)
    assert state == FAILED
    assert "end_lost" in codes


@needs_llama
def test_a_transposed_tensor_fails_in_llama_cpp(bench: Bench, in_llama: Callable[..., tuple[str, list[str]]]) -> None:
    folder = bench.broken("transposed.g", lambda one: _change(
        one, "model.layers.2.self_attn.o_proj.weight", lambda tensor: tensor.T.contiguous()))
    assert in_llama(folder) == (FAILED, ["far_apart"])


@needs_llama
def test_an_adapter_that_was_worked_in_twice_fails_in_llama_cpp(
        in_llama: Callable[..., tuple[str, list[str]]]) -> None:
    assert in_llama("starter", adapter_weights=[2.0]) == (FAILED, ["adapter_strength"])


@needs_llama
def test_another_tokenizer_fails_in_llama_cpp(bench: Bench, in_llama: Callable[..., tuple[str, list[str]]]) -> None:
    folder = bench.broken("tokenizer.g", _swap_two_digits)
    state, codes = in_llama(folder)
    assert (state, codes[0]) == (FAILED, "tokens_differ")


# ---- other ways to go wrong ----

def test_a_lost_template_and_values_that_are_no_numbers_fail(bench: Bench) -> None:
    def breaks(folder: Path) -> None:
        (folder / "chat_template.jinja").unlink()
        _edit(folder / "tokenizer_config.json", chat_template=None)
        _change(folder, "model.norm.weight", lambda tensor: tensor * float("inf"))

    assert bench.verdict(bench.broken("nothing", breaks)) == (FAILED, ["template_lost", "no_numbers"])


def test_a_program_that_breaks_down_fails_the_artefact_and_not_the_export(
        bench: Bench, job: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _for(monkeypatch, tmp_path, "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n")
    found = engine.accept(job, bench.work)
    assert (found["state"], [one["code"] for one in found["reasons"]]) == (FAILED, ["runtime_died"])
    assert "SIGSEGV" in acceptance.told("en", found)[1][0]


def test_a_program_that_is_not_installed_leaves_the_artefact_unchecked(
        bench: Bench, job: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _for(monkeypatch, tmp_path, "raise ModuleNotFoundError(name='llama_cpp')\n")
    found = engine.accept(job, bench.work)
    assert (found["state"], [one["code"] for one in found["reasons"]]) == (UNCHECKED, ["runtime_missing"])
    assert "llama-cpp" in acceptance.told("zh", found)[1][0]


def test_a_stop_ends_the_comparison_and_its_child(
        bench: Bench, job: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stop = str(job.folder.stop)
    _for(monkeypatch, tmp_path, f"import pathlib, time\npathlib.Path({stop!r}).touch()\ntime.sleep(60)\n")
    began = time.monotonic()
    try:
        with pytest.raises(StopAsked):
            engine.accept(job, bench.work)
    finally:
        job.folder.stop.unlink()
    assert time.monotonic() - began < 40
    assert not [one for one in psutil.Process().children(recursive=True) if "replay" in one.cmdline()]
    assert not (job.folder.path / "acceptance").exists()


def test_a_child_leaves_when_the_engine_that_began_it_is_killed(
        bench: Bench, job: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _for(monkeypatch, tmp_path, "import time\nprint('here', flush=True)\ntime.sleep(60)\n")
    task = {"runtime": "llama_cpp", "opens": str(tmp_path), "rows": str(bench.room / "rows.json"),
            "into": str(tmp_path / "into")}
    write_json(tmp_path / "task.json", task)
    child = subprocess.Popen([sys.executable, "-m", "studio.engine", "replay", str(tmp_path / "task.json")],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env={**os.environ, "STUDIO_REPLAY_PARENT": "1"})
    assert child.stdin and child.stdout
    assert child.stdout.readline() == b"here\n"
    child.stdin.close()
    assert child.wait(10) == 1
    child.stdout.close()


def test_rows_of_one_s_own_that_are_gone_leave_the_shipped_questions(bench: Bench) -> None:
    spec = export.check({**_draft(bench.room), "dataset": ["gone"]})
    work = bench.work
    found = rows.choose(spec, work.source, work.workspace, work.source.chat(work.workspace))
    assert (found.origin, len(found.rows)) == (rows.SHIPPED, 6)
    assert found.why


def _for(monkeypatch: pytest.MonkeyPatch, folder: Path, program: str) -> None:
    """A form that is opened by llama.cpp, and something else in the place of that."""
    _write(folder / "llama_cpp.py", program)
    form = ModuleType("form")
    form.RUNTIME, form.limits = "llama_cpp", lambda spec: exporters.EXACT  # type: ignore[attr-defined]
    monkeypatch.setattr(exporters, "innermost", lambda spec: form)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _edit(path: Path, **more: Any) -> None:
    _write(path, json.dumps({**json.loads(path.read_text(encoding="utf-8")), **more}))


def _swap_two_digits(folder: Path) -> None:
    said = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    known = said["model"]["vocab"]
    known["1"], known["2"] = known["2"], known["1"]
    _write(folder / "tokenizer.json", json.dumps(said, ensure_ascii=False))


def _change(folder: Path, name: str, changed: Callable[[Any], Any]) -> None:
    from safetensors.torch import load_file, save_file

    tensors = {key: value.clone() for key, value in load_file(folder / WEIGHTS).items()}
    tensors[name] = changed(tensors[name])
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
