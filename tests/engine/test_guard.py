"""The forgetting guard by the real engine: after a training that wants it, and in an evaluation."""

from __future__ import annotations

import json

import pytest

from studio.engine.evaluate import guarding, program
from studio.errors import SpecError
from studio.records import read_json
from studio.runs.files import RunFolder
from studio.scores import guard, summary
from studio.scores.admission import admit
from studio.scores.predictions import NAME, read
from studio.scores.report import verdict
from studio.specs import frozen
from studio.workspace import Workspace
from tests.engine.workbench import Studio, talks

ROWS = [{"instruction": f"Say {word}.", "output": word, "kind": "talk", "lang": "en", "right": word}
        for word in ("one", "two", "three")]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, llama: str) -> Studio:
    """A studio with a suite of three questions and a run `tuned` that wants the guard."""
    root = tmp_path_factory.mktemp("guarding")
    (root / "data").mkdir()
    (root / "data" / "talks.json").write_text(json.dumps(talks(24)), encoding="utf-8")
    (root / "data" / "dataset_info.json").write_text('{"talks": {"file_name": "talks.json"}}', encoding="utf-8")
    (root / "data" / guard.SUITE).write_text("\n".join(map(json.dumps, ROWS)), encoding="utf-8")
    found = Studio(root)
    found.here(found.run("tuned", model_name_or_path=llama, guard=True, finetuning_type="lora", cpu_threads=1))
    return found


def test_a_run_that_wants_it_is_asked_before_and_after_and_stays_finished(bench: Studio) -> None:
    folder = RunFolder(bench.root / "saves" / "tuned")
    job = bench.job(folder)
    job.recorder.phase("finished", step=10, total=10)
    guarding.after_training(job)
    found = guard.load(folder.results)
    assert found is not None and found.models == ("base", "tuned") and found.rows == len(ROWS)
    assert summary.load(folder.results) is not None
    view = verdict.view(folder.results, "en")
    assert view is not None and view.sentences[0].startswith("tuned: ")
    progress = read_json(folder.progress) or {}
    assert (progress["phase"], progress["step"], progress["total"]) == ("finished", 10, 10)
    report = (folder.results / "report.html").read_text(encoding="utf-8")
    assert "Forgetting guard" in report and "遗忘检查" in report


def test_an_evaluation_asks_the_suite_beside_its_own_rows_and_goes_on_where_it_was(bench: Studio) -> None:
    spec = admit({"eval_run": "tuned", "guard": True, "max_new_tokens": 8, "cpu_threads": 1, "compute_type": "fp32",
                  "metrics": ["exact_match"]}, Workspace(bench.root))
    folder = RunFolder(bench.root / "saves" / "asked")
    folder.path.mkdir(parents=True)
    folder.spec.write_text(frozen.freeze(spec, "2026-01-01T00:00:00", {}), encoding="utf-8")
    program.evaluate(bench.job(folder))
    first = (folder.results / guard.FOLDER / NAME).read_bytes()
    assert {(one.model, one.row) for one in read(folder.results / guard.FOLDER / NAME)} == {
        (name, row) for name in ("base", "tuned") for row in range(len(ROWS))}
    rows = sum(1 for _ in read(folder.results / NAME))
    assert rows == 8, "the suite's answers are not among the user's own"
    program.evaluate(bench.job(folder))
    assert (folder.results / guard.FOLDER / NAME).read_bytes() == first


def test_the_suite_alone_is_asked_where_there_are_no_other_rows(bench: Studio) -> None:
    draft = {"eval_models": ["starter"], "guard": True, "max_new_tokens": 8, "cpu_threads": 1}
    spec = admit(draft, Workspace(bench.root))
    folder = RunFolder(bench.root / "saves" / "alone")
    folder.path.mkdir(parents=True)
    folder.spec.write_text(frozen.freeze(spec, "2026-01-01T00:00:00", {}), encoding="utf-8")
    program.evaluate(bench.job(folder))
    found, told = summary.load(folder.results), guard.load(folder.results)
    assert found is not None and told is not None
    assert found.scores["starter"]["right"].n == len(ROWS) == told.rows
    assert [(one.model, one.row) for one in read(folder.results / NAME)] == [("starter", row) for row in range(3)]
    report = (folder.results / "report.html").read_text(encoding="utf-8")
    assert "Everyday questions right" in report and "日常问题答对" in report
    assert (read_json(folder.progress) or {})["total"] == len(ROWS)


def test_what_the_suite_does_not_take_is_refused_with_it(bench: Studio) -> None:
    def codes(**draft: object) -> dict[str, str]:
        with pytest.raises(SpecError) as refused:
            admit({"eval_models": ["starter"], **draft}, Workspace(bench.root))
        return {problem.field: problem.code for problem in refused.value.problems}

    assert codes() == {"dataset": "questions_unnamed"}
    assert codes(guard=True, task="likelihood") == {"dataset": "questions_unnamed"}
    assert codes(guard=True, metrics=["exact_match"]) == {"metrics": "guard_alone"}


def test_a_guard_that_cannot_be_asked_does_the_run_no_harm(bench: Studio) -> None:
    suite = bench.root / "data" / guard.SUITE
    kept = suite.read_text(encoding="utf-8")
    suite.write_text("no suite\n", encoding="utf-8")
    try:
        job = bench.job(RunFolder(bench.root / "saves" / "tuned"))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(program, "evaluate", lambda asking: guard.suite(asking.workspace))
            guarding.after_training(job)
        assert (read_json(job.folder.progress) or {})["phase"] == "finished" and not job.folder.failure.exists()
    finally:
        suite.write_text(kept, encoding="utf-8")
