"""What models find likely: weighed as one plain forward pass weighs it, exams read, losses those of training."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch

from studio.engine.evaluate import program
from studio.engine.server.model import without_gradients
from studio.engine.server.weighing import Weigher
from studio.errors import InputError
from studio.runs.files import RunFolder
from studio.scores.admission import admit
from studio.scores.browse import Predictions
from studio.scores.exams import Exam, evenly
from studio.specs import frozen
from studio.workspace import PROJECT, Workspace
from tests.engine.server.hosting import Desk
from tests.engine.workbench import Studio, log, shared_model

SHARED = PROJECT.parent / "shared" / "data" / "eval"


@pytest.fixture(scope="module")
def desk(llama: str) -> Desk:
    """The tiny Llama in this process."""
    return Desk.of(llama)


def plainly(desk: Desk, prefix: list[int], ending: list[int]) -> tuple[float, bool]:
    """The weight of an ending by one forward pass of the model as transformers has it."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(str(desk.model.config.base), dtype=torch.float32)
    with torch.no_grad():
        chances = torch.log_softmax(model(torch.tensor([prefix + ending])).logits[0], -1)
    rows = chances[len(prefix) - 1:-1]
    return float(rows[range(len(ending)), ending].sum()), rows.argmax(-1).tolist() == ending


@pytest.mark.parametrize("endings", [
    [[[7], [8], [9]], [[4], [5]]],
    [[[7, 8, 9]], [[4, 5, 6, 7, 8, 9, 10, 11]]],
    [[[7], [8, 9], [10, 11, 12]], [[5, 6]]],
])
@pytest.mark.parametrize("shared", [0, 40])
def test_endings_weigh_what_a_plain_forward_pass_says(desk: Desk, endings: Any, shared: int) -> None:
    common = [20 + k % 60 for k in range(shared)]
    prefixes = [[*common, 11, 12, 13], [*common, 14, 15]]
    items = [{"prefix": prefix, "endings": ends} for prefix, ends in zip(prefixes, endings, strict=True)]
    with without_gradients():
        found = Weigher(desk.model.runner, int(desk.model.ready["vocabulary"])).weigh("", items)
    for item, weights in zip(items, found, strict=True):
        for ending, (value, likeliest) in zip(item["endings"], weights, strict=True):
            wanted, best = plainly(desk, item["prefix"], ending)
            assert value == pytest.approx(wanted, abs=1e-3)
            assert likeliest is best


def test_what_all_begin_with_is_computed_once(desk: Desk) -> None:
    runner, read = desk.model.runner, []
    run = runner.run

    def counted(pieces: Any) -> Any:
        read.append(sum(len(piece.ids) for piece in pieces))
        return run(pieces)

    runner.run = counted
    try:
        with without_gradients():
            Weigher(runner, 1000).weigh("", [{"prefix": [*range(3, 103), 110 + k], "endings": [[5], [6]]}
                                            for k in range(8)])
    finally:
        del runner.run
    assert sum(read) == 100 + 8


def an_exam(folder: Path, letters: str = "ABCD") -> Path:
    """An exam like CMMLU's and one like MMLU's, without a header."""
    for part, count in (("dev", 2), ("test", 5)):
        (folder / part).mkdir(parents=True)
        rows = [f"{k},Say {k}?,{k},x,y,z,{letters[k % len(letters)]}" for k in range(count)]
        (folder / part / "sums.csv").write_text("\ufeff,Question,A,B,C,D,Answer\n" + "\n".join(rows), encoding="utf-8")
        plain = [f'"Which, {k}?",p,q,r,s,D' for k in range(count)]
        (folder / part / f"words_{part}.csv").write_text("\n".join(plain), encoding="utf-8")
    return folder


def test_exams_of_both_layouts_are_read_from_folders_and_archives(tmp_path: Path) -> None:
    folder = an_exam(tmp_path / "exam")
    with zipfile.ZipFile(tmp_path / "exam.zip", "w") as archive:
        for path in folder.glob("*/*.csv"):
            archive.write(path, path.relative_to(folder).as_posix())
    for path in (folder, tmp_path / "exam.zip"):
        exam = Exam.of(path)
        assert exam is not None and exam.parts == ("test", "dev")
        found = exam.items("auto")
        assert {subject: len(items) for subject, items in found.items()} == {"sums": 5, "words": 5}
        assert found["words"][0].question == "Which, 0?" and found["words"][0].letter == "D"
        assert found["sums"][1].options == ("1", "x", "y", "z") and found["sums"][1].letter == "B"
        assert [one.letter for one in exam.shots("sums", 5)] == ["A", "B"]
        assert [item.subject for item in evenly(found, 4)] == ["sums", "sums", "words", "words"]
        with pytest.raises(InputError, match="exam_part"):
            exam.items("val")
    (tmp_path / "ceval").mkdir()
    (tmp_path / "exam.zip").rename(tmp_path / "ceval" / "ceval.zip")
    kept = Exam.of(tmp_path / "ceval")
    assert kept is not None and kept.parts == ("test", "dev")
    assert Exam.of(tmp_path / "exam" / "dev" / "sums.csv") is None


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the exams beside the checkout")
@pytest.mark.parametrize(("name", "subjects", "part", "questions"), [
    ("lf_ceval.zip", 52, "val", 1346), ("lf_cmmlu.zip", 67, "test", 11582)])
def test_the_published_archives_are_read_whole(name: str, subjects: int, part: str, questions: int) -> None:
    exam = Exam.of(SHARED / name)
    assert exam is not None
    found = exam.items("auto")
    assert len(found) == subjects and len(evenly(found, None)) == questions
    assert all(item.place[0].startswith(part) for items in found.values() for item in items)
    assert all(len(exam.shots(subject, 5)) == 5 for subject in found)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, llama: str) -> Studio:
    """A studio with a run of the tiny Llama that held eight rows out, and its evaluation loss."""
    from tests.engine.workbench import talks

    root = tmp_path_factory.mktemp("weighing")
    (root / "data").mkdir()
    (root / "data" / "talks.json").write_text(json.dumps(talks(44)), encoding="utf-8")
    (root / "data" / "dataset_info.json").write_text('{"talks": {"file_name": "talks.json"}}', encoding="utf-8")
    found = Studio(root)
    found.here(found.run("tuned", model_name_or_path=llama, val_size=8, num_train_epochs=2.0, eval_strategy="epoch",
                         save_strategy="epoch"))
    return found


def done(bench: Studio, name: str, **draft: Any) -> RunFolder:
    spec = admit({"cpu_threads": 1, "compute_type": "fp32"} | draft, Workspace(bench.root), paths=True)
    folder = RunFolder(bench.root / "saves" / name)
    folder.path.mkdir(parents=True)
    folder.spec.write_text(frozen.freeze(spec, "2026-01-01T00:00:00", {}), encoding="utf-8")
    program.evaluate(bench.job(folder))
    return folder


def test_the_loss_is_that_of_training_and_its_sisters_fit_it(bench: Studio) -> None:
    import math

    folder = done(bench, "weighed", eval_run="tuned", eval_models=["tuned"], task="likelihood")
    scores = json.loads((folder.results / "scores.json").read_text())["scores"]["tuned"]
    losses = [line["eval_loss"] for line in log(RunFolder(bench.root / "saves" / "tuned")) if "eval_loss" in line]
    assert scores["loss"]["value"] == pytest.approx(min(losses), abs=2e-4)
    assert scores["perplexity"]["value"] == pytest.approx(math.exp(scores["loss"]["value"]), rel=1e-6)
    assert scores["loss"]["low"] < scores["loss"]["value"] < scores["loss"]["high"]
    assert scores["bits_per_byte"]["value"] > 0


def test_an_exam_is_scored_by_subject_with_examples_in_front(bench: Studio, tmp_path: Path) -> None:
    folder = done(bench, "examined", eval_models=["tuned"], eval_run="tuned", task="choices", n_shot=2,
                  dataset=[str(an_exam(tmp_path / "exam"))], metrics=["choice", "choice_text_normalised"])
    predictions = Predictions(folder.results / "predictions.jsonl")
    one = predictions.prediction("tuned", 0)
    assert one is not None and len(predictions.rows) == 10
    assert one.subject == "sums" and len(one.prompt) == 5 and one.answer in "ABCD"
    found = json.loads((folder.results / "scores.json").read_text())
    assert set(found["scores"]["tuned"]) == {"choice", "choice_text_normalised"}
    assert {name: by["choice"]["n"] for name, by in found["subjects"]["tuned"].items()} == {"sums": 5, "words": 5}


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the exams beside the checkout")
@pytest.mark.parametrize(("name", "part"), [("lf_ceval.zip", "val"), ("lf_cmmlu.zip", "test")])
def test_the_published_archives_are_scored_with_a_real_model(bench: Studio, name: str, part: str) -> None:
    folder = done(bench, f"real-{name}", eval_models=[shared_model("cardputer-chat-3M")], task="choices",
                  dataset=[str(SHARED / name)], max_samples=20, metrics=["choice", "choice_text"])
    found = json.loads((folder.results / "scores.json").read_text())
    (scores,), (by,) = found["scores"].values(), found["subjects"].values()
    assert found["rows"] == len(by) + scores["choice"]["missing"] == 20  # one of each subject
    assert 0 <= scores["choice"]["low"] <= scores["choice"]["value"] <= scores["choice"]["high"] <= 1
    predictions = Predictions(folder.results / "predictions.jsonl")
    kept = [one for row in range(20) if (one := predictions.prediction(predictions.models[0], row))]
    assert all(one.place is not None and one.place[0].startswith(part) for one in kept)
    for one in kept:  # a question for which its 256 tokens have no room has no score, and no letter
        has_room = one.finish != "error"
        assert (one.answer in set("ABCD")) == has_room == (one.scores.get("choice") is not None)
