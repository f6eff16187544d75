"""The runs of a workspace: made, named, listed, found, renamed, removed and taken back."""

from __future__ import annotations

import errno
import os
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from studio import records
from studio.errors import InputError, StudioError, WorkError
from studio.records import write_json
from studio.runs import names
from studio.runs.checkpoints import adapter_folder
from studio.runs.state import State
from studio.specs import frozen
from studio.texts import has
from studio.texts.errors import of_error
from tests.runs.conftest import bytes_read

BAD_NAMES = [("", "name_empty"), ("../x", "name_path"), ("a/b", "name_path"), ("a\\b", "name_path"),
             ("..", "name_path"), (".hidden", "name_start"), ("-flag", "name_start"), ("a b", "name_character"),
             ("run😀", "name_character"),
             ("a:b", "name_character"), ("é́x" * 60, "name_long"), ("数" * 90, "name_long"), ("x" * 300, "name_long"),
             ("a~b", "name_character"),
             ("a\nb", "name_control"), ("a\u202eb", "name_control"), ("a\x00b", "name_control")]


@pytest.mark.parametrize("name, code", BAD_NAMES)
def test_a_bad_name_is_refused_in_one_sentence(name: str, code: str) -> None:
    with pytest.raises(InputError) as refused:
        names.checked(name)
    assert refused.value.code == code
    for lang in ("en", "zh"):
        sentence = of_error(lang, refused.value)
        assert sentence and "\n" not in sentence and len(sentence) < 250


@pytest.mark.parametrize("name", ["run", "实验-第1次_v2.0", "ärger", "тест", "हिन्दी", "2024", "x" * 100])
def test_names_of_any_script_are_taken(name: str) -> None:
    assert names.checked(name) == name


@given(st.text(min_size=1, max_size=120))
def test_a_name_is_refused_or_a_single_folder_name(name: str) -> None:
    try:
        taken = names.checked(name)
    except InputError as error:
        assert has("en", f"errors.{error.code}")
        return
    assert len(taken.encode()) <= 200 and os.path.basename(taken) == taken and not taken.startswith(".")


@given(st.text(max_size=80))
def test_a_suggested_name_is_always_taken(model: str) -> None:
    spec = SimpleNamespace(model_name_or_path=model, stage="sft", finetuning_type="lora")
    assert names.checked(names.suggested(spec))


@pytest.mark.parametrize("given_dir, name", [("saves/llama3-8b/lora/sft", "llama3-8b-lora-sft"),
                                             ("./saves/x", "x"), ("x", "x"), ("output/x", "x"), ("saves", "saves"),
                                             ("a/b/", "a-b")])
def test_the_output_dir_of_a_recipe_becomes_the_name(bench, given_dir: str, name: str) -> None:
    assert bench.store.create(bench.spec(output_dir=given_dir)).name == name
    with pytest.raises(InputError) as refused:
        bench.store.create(bench.spec(output_dir=given_dir))
    assert refused.value.code == "name_taken"


@pytest.mark.parametrize("bad", ["../x", "saves/../../x", "/etc/x", "saves/run 😀", "saves/" + "x" * 300])
def test_an_output_dir_that_leaves_saves_is_refused_and_nothing_written(bench, bad: str) -> None:
    with pytest.raises(InputError):
        bench.store.create(bench.spec(output_dir=bad))
    assert not bench.workspace.saves.exists()


def test_a_new_run_is_one_folder_with_a_frozen_spec(bench) -> None:
    folder = bench.store.create(bench.spec(num_train_epochs=2), fingerprints={"number_words": "abc"})
    spec, header = frozen.thaw(folder.spec)
    assert [path.name for path in folder.path.iterdir()] == ["spec.yaml"]
    assert [path.name for path in bench.workspace.saves.iterdir()] == [folder.name]
    assert spec.num_train_epochs == 2 and header["fingerprints"] == {"number_words": "abc"}
    assert spec.learning_rate is not None
    assert folder.name.endswith("-starter-sft-lora")


def test_suggested_names_find_themselves_a_number_and_typed_ones_do_not(bench) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: bench.store.create(bench.spec()).name, range(8)))
    assert len(set(made)) == 8

    def typed(_: int) -> str:
        try:
            return bench.create("mine").name
        except InputError as error:
            return error.code

    with ThreadPoolExecutor(8) as pool:
        said = sorted(pool.map(typed, range(8)))
    assert said == ["mine"] + ["name_taken"] * 7
    assert len(list(bench.workspace.saves.iterdir())) == 9


def test_the_name_of_a_run_means_the_run_whatever_lies_in_the_callers_folder(bench, tmp_path, monkeypatch) -> None:
    first = bench.create("first")
    (tmp_path / "elsewhere" / "first").mkdir(parents=True)
    (tmp_path / "elsewhere" / "other").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    spec, _ = frozen.thaw(bench.store.create(bench.spec(adapter_name_or_path=["first", "other"])).spec)
    assert spec.adapter_name_or_path == ["first", str(tmp_path / "elsewhere" / "other")]
    assert adapter_folder("first", bench.workspace) == first.path


def test_a_missing_model_is_refused_before_anything_is_written(bench) -> None:
    with pytest.raises(InputError) as refused:
        bench.store.create(bench.spec(model_name_or_path="no-such-folder"))
    assert refused.value.code == "model_missing"
    assert not bench.workspace.saves.exists()


def test_relative_paths_are_frozen_as_they_were_meant(bench, tmp_path, monkeypatch) -> None:
    (tmp_path / "my data").mkdir()
    monkeypatch.chdir(tmp_path)
    spec, _ = frozen.thaw(bench.create(dataset_dir="my data").spec)
    assert spec.dataset_dir == str(tmp_path / "my data")


@pytest.mark.parametrize("number, kind, code", [(errno.ENOSPC, WorkError, "disk_full"),
                                                (errno.EIO, WorkError, "disk_refuses"),
                                                (errno.EACCES, InputError, "saves_not_writable")])
def test_a_disk_that_refuses_leaves_nothing_half_made(bench, monkeypatch, number, kind, code) -> None:
    def refuse(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(records.os, "fsync", refuse)
    with pytest.raises(kind) as refused:
        bench.create()
    assert refused.value.code == code and of_error("zh", refused.value)
    assert list(bench.workspace.saves.iterdir()) == []


def test_saves_that_is_no_folder_is_said(bench) -> None:
    bench.workspace.root.mkdir()
    bench.workspace.saves.write_text("a file")
    with pytest.raises(StudioError) as refused:
        bench.create()
    assert of_error("en", refused.value)
    assert bench.store.summaries() == []


def test_runs_are_found_by_name_or_path_and_never_outside_saves(bench) -> None:
    folder = bench.create("alpha-run")
    assert bench.store.find("alpha-run") == bench.store.find(str(folder.path)) == folder
    assert bench.store.find(f"{bench.workspace.saves}/alpha-run/") == folder
    for name in ("alpha-rum", "..", ".", "", "../saves", "/etc", ".bin", "alpha-run/checkpoints", "x\x00y", "x" * 300):
        with pytest.raises(InputError):
            bench.store.find(name)
    with pytest.raises(InputError) as refused:
        bench.store.find("alpha-rum")
    assert refused.value.values["nearest"] == "alpha-run"


def test_the_list_tells_what_each_run_is_and_did(bench, waiting) -> None:
    folder = bench.started("steady", 5, "one")
    waiting(lambda: bench.store.summaries()[0].state is State.FINISHED)
    with open(folder.log, "a") as log:
        log.write('{"step": 5, "eval_loss": 2.5}\n{"step": 6, "eval_loss": 2.25}\n{"step": 6, "loss": 0.5}\n{"half')
    bench.create("two", finetuning_type="full")
    newest, oldest = sorted(bench.store.summaries(), key=lambda line: line.name, reverse=True)
    assert (newest.name, newest.state, newest.finetuning_type) == ("two", State.QUEUED, "full")
    assert (oldest.stage, oldest.model, oldest.dataset) == ("sft", "starter", ["number_words"])
    assert (oldest.step, oldest.total_steps, oldest.train_loss) == (6, 5, 0.5)
    assert (oldest.best_eval_loss, oldest.best_step) == (2.25, 6)
    assert abs(oldest.created - time.time()) < 60 and 0 < oldest.seconds < 30
    with open(folder.log, "a") as log:
        log.write('\n{"event": "resumed", "step": 5}\n')
    assert next(line for line in bench.store.summaries() if line.name == "one").best_eval_loss == 2.5


@pytest.mark.parametrize("file, content, trouble", [
    ("spec.yaml", None, "spec_missing"), ("spec.yaml", "a: [1", "spec_corrupt"), ("spec.yaml", "\x00", "spec_corrupt"),
    ("process.json", "{", "process_corrupt"), ("outcome.json", "[]", "outcome_corrupt"),
    ("progress.json", "", "progress_corrupt")])
def test_a_broken_folder_is_still_listed_and_says_what_is_wrong(bench, file, content, trouble) -> None:
    folder = bench.create()
    (folder.path / file).unlink(missing_ok=True)
    if content is not None:
        (folder.path / file).write_text(content)
    line = bench.store.summaries()[0]
    assert (line.name, line.trouble) == ("a-run", trouble)
    assert has("en", f"runs.trouble.{trouble}") and has("zh", f"runs.trouble.{trouble}")


def test_an_empty_folder_and_strange_values_are_listed(bench) -> None:
    folder = bench.create()
    (bench.workspace.saves / "empty").mkdir()
    (bench.workspace.saves / "a file").write_text("")
    folder.spec.write_text("stage: [1]\ndataset: 3\ncreated: 7\nmodel_name_or_path: null\n")
    write_json(folder.progress, {"step": "x", "total": None})
    write_json(folder.process, {"supervisor": 3, "engine": [], "started": "soon"})
    folder.log.mkdir()
    assert sorted(line.name for line in bench.store.summaries()) == ["a-run", "empty"]


def test_a_hundred_runs_are_read_once(bench) -> None:
    text = bench.create("first").spec.read_text()
    for number in range(99):
        folder = bench.workspace.saves / f"run-{number}"
        folder.mkdir()
        (folder / "spec.yaml").write_text(text)
        (folder / "outcome.json").write_text('{"state": "finished", "ended": 2}')
        (folder / "trainer_log.jsonl").write_text('{"step": 1, "loss": 1.0, "eval_loss": 2.0}\n' * 1000)
    assert len(bench.store.summaries()) == 100
    before = bytes_read()
    bench.store.summaries()
    assert bytes_read() - before < 50_000


def test_a_removed_run_comes_back(bench) -> None:
    bench.create("one")
    entry = bench.store.remove("one")
    assert bench.store.summaries() == [] and [one.original for one in bench.store.bin()] == ["one"]
    assert abs(entry.removed - time.time()) < 10
    bench.create("one")
    assert bench.store.restore(entry.name).name == "one-2"
    bench.store.remove("one-2")
    assert bench.store.restore("one-2").name == "one-2"
    bench.store.remove("one")
    assert bench.store.empty_bin() == 1 and bench.store.bin() == []
    with pytest.raises(InputError):
        bench.store.restore("one")


def test_a_run_at_work_is_neither_removed_nor_renamed(bench) -> None:
    bench.started("polite", name="busy")
    for act in (lambda: bench.store.remove("busy"), lambda: bench.store.rename("busy", "other")):
        with pytest.raises(InputError) as refused:
            act()
        assert refused.value.code == "run_running"


def test_a_renamed_run_keeps_what_it_has_and_takes_no_others_name(bench) -> None:
    bench.create("one")
    bench.create("two")
    with pytest.raises(InputError) as refused:
        bench.store.rename("one", "two")
    assert refused.value.code == "name_taken"
    with pytest.raises(InputError):
        bench.store.rename("one", "a/b")
    assert bench.store.rename("one", "三").spec.exists()
    assert sorted(line.name for line in bench.store.summaries()) == ["three".replace("three", "two"), "三"]
