"""Tasks of the lm-evaluation-harness through our own engine; they agree with our own numbers to the digit."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from studio.chats.client import Address
from studio.data import templates
from studio.engine.evaluate import harness as asking
from studio.engine.evaluate import program
from studio.engine.server.speech import Spoken, Talk
from studio.errors import InputError, SpecError, StopAsked, WorkError
from studio.records import read_json
from studio.runs.files import RunFolder
from studio.sample import Message
from studio.scores import harness
from studio.scores.admission import admit
from studio.specs import frozen
from studio.workspace import PROJECT, STARTER, Workspace
from tests.engine.workbench import Studio

COUNT = 12
WORDS = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def is_here() -> bool:
    try:
        return bool(harness.program())
    except InputError:
        return False


needs_harness = pytest.mark.skipif(not is_here(), reason="needs lm_eval, here or on the PATH")


def questions() -> list[dict[str, Any]]:
    """Small questions with four options, whose words differ in length."""
    found = []
    for k in range(COUNT):
        options = [WORDS[(k * 3 + step * step) % 10] + " and more" * (step % 2) for step in range(4)]
        found.append({"question": f"Say {k}, then {k + 1}?", "options": options, "right": k % 4})
    return found


def exam(folder: Path) -> Path:
    """The questions as csv files, as our own multiple choice reads them."""
    (folder / "test").mkdir(parents=True)
    lines = [f"{one['question']!r}".replace("'", '"') + "," + ",".join(one["options"]) + "," + "ABCD"[one["right"]]
             for one in questions()]
    (folder / "test" / "small_test.csv").write_text("\n".join(lines), encoding="utf-8")
    return folder


def task(folder: Path, spoken: Spoken) -> Path:
    """The same questions as tasks of the harness: by letter, and by the options' words, spelled as we spell them."""
    folder.mkdir(parents=True)
    rows = []
    for one in questions():
        with_letters = "\n".join([one["question"], *(f"{name}. {text}" for name, text in zip("ABCD", one["options"]))])
        by_letter, by_text = (spoken.prompt(Talk((Message("user", text),))).text
                              for text in (with_letters, one["question"]))
        rows.append({"by_letter": by_letter, "by_text": by_text, "options": one["options"], "right": one["right"]})
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    for name, choices in (("by_letter", '["A", "B", "C", "D"]'), ("by_text", '"{{options}}"')):
        (folder / f"{name}.yaml").write_text(f"""task: small_{name}
dataset_path: json
dataset_kwargs:
  data_files:
    test: {folder / 'rows.jsonl'}
test_split: test
output_type: multiple_choice
doc_to_text: "{{{{{name}}}}}"
doc_to_choice: {choices}
doc_to_target: right
target_delimiter: ""
metric_list:
  - metric: acc
  - metric: acc_norm
""", encoding="utf-8")
    (folder / "included.yml").write_text("metric_list:\n  - metric: !function here.there\n", encoding="utf-8")
    return folder


def made(bench: Studio, name: str, **draft: Any) -> RunFolder:
    spec = admit({"cpu_threads": 1, "compute_type": "fp32"} | draft, Workspace(bench.root), paths=True)
    folder = RunFolder(bench.root / "saves" / name)
    folder.path.mkdir(parents=True)
    folder.spec.write_text(frozen.freeze(spec, "2026-01-01T00:00:00", {}), encoding="utf-8")
    return folder


def told(folder: RunFolder) -> dict[str, Any]:
    return dict(json.loads((folder.results / "scores.json").read_text(encoding="utf-8")))


@needs_harness
def test_the_harness_agrees_with_our_own_numbers_to_the_digit(tmp_path: Path,
                                                              monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    bench = Studio(tmp_path)
    ours = made(bench, "ours", eval_models=[STARTER], task="choices", dataset=[str(exam(tmp_path / "exam"))],
                metrics=["choice", "choice_text", "choice_text_normalised"])
    program.evaluate(bench.job(ours))
    spoken = Spoken.load(Workspace(PROJECT).starter, templates.OWN, None, Workspace(bench.root))
    theirs = made(bench, "theirs", eval_models=[STARTER], task="harness",
                  dataset=[str(task(tmp_path / "tasks", spoken))])
    program.evaluate(bench.job(theirs))
    mine, found = told(ours)["scores"][STARTER], told(theirs)
    numbers = found["harness"][STARTER]
    assert numbers["small_by_letter"]["acc"]["value"] == mine["choice"]["value"]
    assert numbers["small_by_text"]["acc"]["value"] == mine["choice_text"]["value"]
    assert numbers["small_by_text"]["acc_norm"]["value"] == mine["choice_text_normalised"]["value"]
    assert numbers["small_by_text"]["acc"]["n"] == COUNT
    subjects = found["subjects"][STARTER]
    assert subjects["small_by_text"]["choice_text"]["value"] == mine["choice_text"]["value"]
    predictions = list(harness.predictions(theirs.results / "harness" / "0", STARTER))
    assert len(predictions) == 2 * COUNT and predictions[0].answer in "ABCD"
    assert (theirs.results / "report.html").is_file()


# ---- with a program in the harness's place ----

A_HARNESS = '''
import json, os, pathlib, sys, time
words = sys.argv[1:]
out = pathlib.Path(words[words.index("--output_path") + 1]) / "model"
model = json.loads(words[words.index("--model_args") + 1])
assert os.environ["OPENAI_API_KEY"] == "secret" and os.environ["HF_HUB_OFFLINE"] == "1"
with open(os.environ["ASKED"], "a") as asked:
    asked.write(model["model"] + "\\n")
if os.environ.get("SLEEPS"):
    time.sleep(600)
if os.environ.get("FAILS") == model["model"]:
    sys.exit("ValueError: no such task")
out.mkdir(parents=True)
rows = [{"doc_id": k, "target": k % 2, "arguments": {"gen_args_0": {"arg_0": f"Q{k}", "arg_1": " yes"},
         "gen_args_1": {"arg_0": f"Q{k}", "arg_1": " no"}}, "filtered_resps": [["-1.0", "False"], ["-2.0", "False"]],
         "acc": float(k % 2 == 0)} for k in range(4)]
(out / "samples_toy_2026-01-01T00-00-00.jsonl").write_text("\\n".join(map(json.dumps, rows + rows[:1])))
(out / "results_2026-01-01T00-00-00.json").write_text(json.dumps({
    "results": {"toy": {"alias": "toy", "acc,none": 0.5, "acc_stderr,none": 0.25, "f1,flexible": 0.125}},
    "n-samples": {"toy": {"original": 9, "effective": 4}}}))
'''


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Studio:
    """A studio whose harness is a script, and whose server only seems to be there."""
    script = tmp_path / "a_harness.py"
    script.write_text(A_HARNESS, encoding="utf-8")
    monkeypatch.setattr(harness, "program", lambda: (sys.executable, str(script)))
    monkeypatch.setattr(asking.client, "load", lambda *words, **more: None)
    monkeypatch.setattr(asking, "_engine", lambda job, lanes: contextlib.nullcontext(Address("http://x", "secret")))
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    for name in ("HF_HUB_OFFLINE", "SLEEPS", "FAILS"):
        monkeypatch.delenv(name, raising=False)
    return Studio(tmp_path)


def asked(bench: Studio) -> list[str]:
    return (bench.root / "asked").read_text(encoding="utf-8").split()


def test_its_figures_become_scores_with_intervals_pairs_and_a_report(stage: Studio) -> None:
    folder = made(stage, "found", eval_models=["starter", "base"], task="harness", dataset=["toy"])
    program.evaluate(stage.job(folder))
    found = told(folder)
    assert found["harness"]["base"]["toy"] == {"acc": {"value": 0.5, "stderr": 0.25, "n": 4.0},
                                               "f1 (flexible)": {"value": 0.125, "n": 4.0}}
    assert found["scores"]["base"]["choice_text"]["value"] == 0.5 and found["scores"]["base"]["choice_text"]["low"] > 0
    assert found["pairs"][0]["difference"] == 0 and found["rows"] == 4
    assert (read_json(folder.progress) or {})["total"] == 8 and asked(stage) == ["starter", "base"]
    one = next(harness.predictions(folder.results / "harness" / "0", "starter"))
    assert (one.answer, one.reference, one.choices, one.subject) == ("yes", "yes", ("yes", "no"), "toy")


def test_who_was_asked_is_not_asked_again_and_the_reason_of_a_failure_is_told(
        stage: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = made(stage, "broken", eval_models=["starter", "base"], task="harness", dataset=["toy"])
    monkeypatch.setenv("FAILS", "base")
    with pytest.raises(WorkError) as refused:
        program.evaluate(stage.job(folder))
    assert refused.value.code == "harness_failed" and refused.value.values["reason"] == "ValueError: no such task"
    monkeypatch.delenv("FAILS")
    program.evaluate(stage.job(folder))
    assert asked(stage) == ["starter", "base", "base"]
    assert told(folder)["models"] == ["starter", "base"]


def test_a_stop_ends_the_harness(stage: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLEEPS", "1")
    folder = made(stage, "stopped", eval_models=["starter"], task="harness", dataset=["toy"])
    begun: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def kept(*words: Any, **more: Any) -> subprocess.Popen[bytes]:
        begun.append(popen(*words, **more))
        folder.stop.touch()
        return begun[-1]

    monkeypatch.setattr(asking.subprocess, "Popen", kept)
    with pytest.raises(StopAsked):
        program.evaluate(stage.job(folder))
    assert len(begun) == 1 and begun[0].poll() is not None


def test_what_cannot_be_is_refused_before_it_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def codes(paths: bool = True, **draft: Any) -> set[str]:
        with pytest.raises(SpecError) as refused:
            admit({"eval_models": ["starter"], "task": "harness"} | draft, Workspace(tmp_path), paths=paths)
        return {problem.code for problem in refused.value.problems}

    (tmp_path / "empty").mkdir()
    monkeypatch.setattr(harness.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert codes(dataset=["toy"]) == {"harness_missing"}
    assert codes() == {"harness_tasks_unnamed"}
    monkeypatch.setattr(harness, "program", lambda: ("lm_eval",))
    assert codes(dataset=["toy"], metrics=["exact_match"], guard=True) == {"harness_alone"}
    assert codes(dataset=[str(tmp_path / "empty")]) == {"harness_folder"}
    assert codes(dataset=[str(tmp_path / "empty")], paths=False) == {"harness_folder_outside"}
    assert codes(dataset=["toy"], eval_models=["http://127.0.0.1:9/v1#m"]) == {"likelihood_elsewhere"}
