"""Evaluations by the real engine: held-out rows, answers side by side, stopped, killed and gone on with."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from studio.data import prepare
from studio.data.chat import ChatTokenizer
from studio.engine.evaluate import local, program
from studio.errors import InputError, StopAsked
from studio.records import read_json
from studio.runs.files import RunFolder
from studio.sample import Sample
from studio.scores import asked, foreign, summary
from studio.scores.admission import admit
from studio.scores.browse import Predictions
from studio.specs import frozen
from studio.workspace import PROJECT, Workspace
from tests.engine.workbench import Studio, talks

HELD = 8
QUICK: dict[str, Any] = {
    "max_new_tokens": 24, "cpu_threads": 1, "compute_type": "fp32",
    "metrics": ["exact_match", "bleu4_char", "length_ratio"]}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, llama: str) -> Studio:
    """A studio with a run `tuned` of the tiny Llama, which held eight rows out."""
    root = tmp_path_factory.mktemp("evaluating")
    (root / "data").mkdir()
    (root / "data" / "talks.json").write_text(json.dumps(talks(44)), encoding="utf-8")
    (root / "data" / "dataset_info.json").write_text('{"talks": {"file_name": "talks.json"}}', encoding="utf-8")
    found = Studio(root)
    folder = found.run("tuned", model_name_or_path=llama, val_size=HELD, num_train_epochs=4.0, save_strategy="epoch",
                       finetuning_type="lora", learning_rate=2e-2)
    found.here(folder)
    return found


def made(bench: Studio, name: str, **draft: Any) -> RunFolder:
    """An evaluation that is ready to begin."""
    spec = admit(QUICK | {"eval_run": "tuned"} | draft, Workspace(bench.root), paths=True)
    folder = RunFolder(bench.root / "saves" / name)
    folder.path.mkdir(parents=True)
    folder.spec.write_text(frozen.freeze(spec, "2026-01-01T00:00:00", {}), encoding="utf-8")
    return folder


def told(folder: RunFolder) -> dict[str, Any]:
    """What scores.json says, without the time it took."""
    found = read_json(folder.results / summary.NAME)
    assert found is not None
    return {name: value for name, value in found.items() if name != "seconds"}


def resumed(job: Any) -> int:
    """Evaluate to the end; how many answers were there already when asking began. None of them is asked again."""
    enter, write, steps, written = job.recorder.phase, job.recorder.progress, [], []

    def watched(phase: str, **more: Any) -> None:
        enter(phase, **more)
        steps.extend([more["step"]] if phase == "answering" else [])

    def counted(**figures: Any) -> None:
        write(**figures)
        written.extend([figures["step"]] if "step" in figures else [])

    job.recorder.phase, job.recorder.progress = watched, counted
    program.evaluate(job)
    assert len(written) == 2 * HELD - steps[0]
    return int(steps[0])


def answers(folder: RunFolder) -> list[tuple[str, int, str]]:
    lines = (folder.results / "predictions.jsonl").read_text(encoding="utf-8").splitlines()
    return [(one["model"], one["row"], one["answer"]) for one in map(json.loads, lines)]


@pytest.fixture(scope="module")
def whole(bench: Studio) -> RunFolder:
    """An evaluation of the base and the run that nobody disturbed."""
    folder = made(bench, "whole")
    program.evaluate(bench.job(folder))
    return folder


def test_the_rows_asked_are_those_that_training_held_out(bench: Studio, llama: str) -> None:
    workspace = Workspace(bench.root)
    trained, _ = frozen.thaw(RunFolder(bench.root / "saves" / "tuned").spec)
    held = prepare.prepare(trained, workspace, Path(llama)).evaluation
    spec = admit({"eval_run": "tuned"}, workspace)
    found = asked.questions(spec, workspace)
    chat = ChatTokenizer.load(llama, trained.template, None, workspace)
    ids = [chat.encode(Sample(one.sample.messages), trained.cutoff_len).ids for one in found.rows]
    assert held is not None and len(ids) == HELD
    assert ids == [held.row(place)[0].tolist() for place in range(HELD)]
    assert found.trained is not None
    assert len(list(found.trained())) == 44 - HELD


def test_a_run_is_asked_beside_its_base_and_everything_is_kept(bench: Studio, whole: RunFolder) -> None:
    predictions = Predictions(whole.results / "predictions.jsonl")
    assert predictions.models == ("base", "tuned") and len(predictions.rows) == HELD
    one = predictions.prediction("tuned", 3)
    assert one is not None
    assert one.reference and one.question.startswith("Say in reverse") and one.finish in ("stop", "length")
    assert one.place is not None and one.place[0] == "talks.json" and one.tokens > 0
    assert set(one.scores) == set(QUICK["metrics"])
    scores = told(whole)["scores"]
    assert scores["tuned"]["bleu4_char"]["value"] > scores["base"]["bleu4_char"]["value"]
    assert all(scores["base"]["exact_match"][name] is not None for name in ("value", "low", "high", "n", "how"))
    for name in ("report.html", "report.md", "scores.csv", "generated_predictions.jsonl"):
        assert (whole.results / name).stat().st_size > 100
    assert (read_json(whole.progress) or {})["phase"] == "finished"


def test_an_answer_without_an_end_is_cut_and_counted(whole: RunFolder) -> None:
    predictions = Predictions(whole.results / "predictions.jsonl")
    lengths = [one for row in range(HELD) if (one := predictions.prediction("base", row)) and one.finish == "length"]
    assert lengths and all(one.tokens == QUICK["max_new_tokens"] for one in lengths)
    assert told(whole)["endings"]["base"]["length"] == len(lengths)


def test_a_stopped_evaluation_goes_on_to_the_same_figures(bench: Studio, whole: RunFolder,
                                                          monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "_LOOK_SECONDS", 0.0)  # a quick machine answers the rest between two looks
    folder = made(bench, "stopped", eval_batch_size=2)
    taken = bench.root / "taken.jsonl"
    foreign.promise(folder.results, taken)
    job = bench.job(folder)
    write = job.recorder.progress

    def watched(**figures: Any) -> None:
        write(**figures)
        if figures.get("step") == 5:
            folder.stop.touch()

    job.recorder.progress = watched  # type: ignore[method-assign]
    with pytest.raises(StopAsked):
        program.evaluate(job)
    assert 5 <= len(answers(folder)) < 2 * HELD
    assert not (folder.results / summary.NAME).exists() and not taken.exists()
    folder.stop.unlink()
    assert resumed(bench.job(folder)) >= 5
    assert answers(folder) == answers(whole)
    assert told(folder) == told(whole)
    assert taken.read_bytes() == (whole.results / "generated_predictions.jsonl").read_bytes()


def test_a_killed_evaluation_goes_on_to_the_same_figures(bench: Studio, whole: RunFolder) -> None:
    folder = made(bench, "killed", eval_batch_size=2)
    with open(folder.console, "ab") as console:
        engine = subprocess.Popen([sys.executable, "-m", "studio.engine", "evaluate", str(folder.path)], cwd=PROJECT,
                                  env=bench.environment(), stdout=console, stderr=console)
    path, end = folder.results / "predictions.jsonl", time.monotonic() + 90
    while not path.exists() or path.read_bytes().count(b"\n") < 3:
        assert time.monotonic() < end and engine.poll() is None, folder.console.read_text()
        time.sleep(0.005)
    os.kill(engine.pid, signal.SIGKILL)
    engine.wait()
    with open(path, "ab") as file:
        file.write(b'{"model": "base", "row": 7, "answ')
    there = path.read_bytes().count(b"\n")
    assert 3 <= there < 2 * HELD
    assert resumed(bench.job(folder)) == there
    assert answers(folder) == answers(whole)
    assert told(folder) == told(whole)


def test_rows_that_were_trained_on_are_found_and_said(bench: Studio) -> None:
    job = bench.job(made(bench, "leaking", dataset=["talks#20"]))
    found = asked.questions(job.spec, job.workspace)
    leaked = program._leaks(job, found)
    assert leaked is not None and leaked.rows == 20 and len(leaked.exact) >= 20 - HELD
    assert (read_json(job.folder.results / "leaks.json") or {})["exact"] == list(leaked.exact)


def test_an_evaluation_does_not_go_on_with_other_rows(bench: Studio) -> None:
    rows = bench.root / "data" / "changing.json"
    rows.write_text(json.dumps(talks(4)), encoding="utf-8")
    job = bench.job(made(bench, "changing", dataset=["changing"]))
    program._same_questions(job, asked.questions(job.spec, job.workspace))
    rows.write_text(json.dumps(talks(4, seed=1)), encoding="utf-8")
    with pytest.raises(InputError, match="questions_changed"):
        program._same_questions(job, asked.questions(job.spec, job.workspace))


def test_a_metric_that_the_rows_cannot_serve_is_refused(bench: Studio) -> None:
    (bench.root / "data" / "bare.jsonl").write_text('{"instruction": "Say one."}\n{"prompt": "Say two."}\n')
    job = bench.job(made(bench, "bare", dataset=["bare"]))
    found = asked.questions(job.spec, job.workspace)
    assert [one.reference for one in found.rows] == ["", ""]
    with pytest.raises(InputError, match="metric_needs"):
        program._metrics(job.spec, found)
    assert program._metrics(job.spec.model_copy(update={"metrics": []}), found) == ("distinct", "repetition")
