"""From a spec to training rows: counts, cache, split, refusals."""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from studio.data import cache, fingerprint
from studio.data.catalogue import Entry
from studio.data.chat import ChatTokenizer
from studio.data.options import Reading
from studio.data.prepare import prepare
from studio.data.tokenise import tokenise
from studio.data.tokens import RowWriter, Stored
from studio.errors import InputError, StopAsked, WorkError
from studio.specs.train import check
from studio.texts import errors as sentences
from studio.workspace import PROJECT, Workspace
from tests.data.replay import SHARED

STARTER = Workspace.at(PROJECT).starter
pytestmark = pytest.mark.skipif(not (STARTER / "tokenizer.json").is_file(), reason="data/starter is not made yet")


@pytest.fixture
def workspace(tmp_path):
    workspace = Workspace(tmp_path / "root")
    workspace.data.mkdir(parents=True)
    return workspace


def data(workspace: Workspace, name: str, rows: list) -> str:
    (workspace.data / f"{name}.json").write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return name


def pairs(count: int, words: str = "") -> list[dict]:
    return [{"instruction": f"{words}question {place}", "output": f"answer {place}"} for place in range(count)]


def texts(rows, chat: ChatTokenizer) -> list[str]:
    return [chat.decode(rows.row(place)[0]) for place in range(len(rows))]


def spec(*names: str, **values) -> object:
    return check({"dataset": list(names), "finetuning_type": "lora", **values})


def test_every_row_is_counted_and_every_token_labelled_once(workspace):
    rows = [*pairs(40), {"instruction": "x", "output": ""}, {"output": "y"}, 7,
            {"instruction": "long " * 300, "output": "never seen"}, {"instruction": "x", "output": "long " * 300}]
    prepared = prepare(spec(data(workspace, "d", rows), cutoff_len=256, val_size=5), workspace, STARTER)
    counts = prepared.counts
    assert counts.read == 45 and counts.used == 41 and counts.cut == 1 and counts.held_out == 5
    assert counts.skipped == {"empty_answer": 1, "no_question": 1, "not_an_object": 1, "prompt_too_long": 1}
    assert (len(prepared.train), len(prepared.evaluation)) == (36, 5)
    both = [part.row(place) for part in (prepared.train, prepared.evaluation) for place in range(len(part))]
    assert sum(len(ids) for ids, _ in both) == counts.tokens
    assert sum(int((labels >= 0).sum()) for _, labels in both) == counts.trained_tokens
    assert all(ids.dtype == labels.dtype == np.int32 and (labels[labels >= 0] == ids[labels >= 0]).all()
               for ids, labels in both)
    assert [len(prepared.train.row(place)[0]) for place in range(36)] == prepared.train.lengths.tolist()


def test_the_held_out_rows_follow_the_seed_and_are_never_trained_on(workspace):
    name, chat = data(workspace, "d", pairs(100)), ChatTokenizer.load(STARTER)
    first, again, other = (prepare(spec(name, seed=seed, val_size=0.1), workspace, STARTER) for seed in (1, 1, 2))
    assert texts(first.evaluation, chat) == texts(again.evaluation, chat) != texts(other.evaluation, chat)
    assert set(texts(first.train, chat)) | set(texts(first.evaluation, chat)) == set(texts(other.train, chat)) | set(
        texts(other.evaluation, chat))
    assert not set(texts(first.train, chat)) & set(texts(first.evaluation, chat))
    assert prepare(spec(name, val_size=0), workspace, STARTER).evaluation is None
    assert prepare(spec(name, eval_strategy="no"), workspace, STARTER).counts.held_out == 0


def test_every_skipped_row_is_counted_by_reason_with_three_places_at_most(workspace):
    rows = [*pairs(4), *[{"instruction": "x", "output": ""}] * 5, {"instruction": "long " * 300, "output": "never"}]
    (workspace.data / "d.jsonl").write_text("\n".join([*map(json.dumps, rows), "{broken"]), encoding="utf-8")
    data(workspace, "e", [*pairs(3), 7])
    prepared = prepare(spec("d", "e", cutoff_len=64, val_size=0), workspace, STARTER)
    assert prepared.each["d"].examples["empty_answer"] == (("d.jsonl", 5), ("d.jsonl", 6), ("d.jsonl", 7))
    assert prepared.each["d"].skipped["empty_answer"] == 5
    assert prepared.each["d"].examples["prompt_too_long"] == (("d.jsonl", 10),)
    assert sum(prepared.each["d"].skipped.values()) == 7 and prepared.each["d"].read == 11
    assert prepared.each["e"].examples == {"not_an_object": (("e.json", 1),)}
    assert prepared.counts.read == 15 and prepared.counts.used == 7 and len(prepared.counts.examples) == 4
    again = prepare(spec("d", "e", cutoff_len=64, val_size=0), workspace, STARTER)
    assert again.each == prepared.each


def test_rows_of_another_kind_are_counted_and_a_set_of_them_is_refused(workspace):
    pair = {"instruction": "q", "chosen": "good", "rejected": "bad"}
    data(workspace, "pairs", [pair] * 3)
    with pytest.raises(InputError) as refused:
        prepare(spec("pairs"), workspace, STARTER)
    assert refused.value.code == "dataset_is_ranking"
    (workspace.data / "words.txt").write_text("a text\n\nanother text\n", encoding="utf-8")
    with pytest.raises(InputError) as refused:
        prepare(spec("words"), workspace, STARTER)
    assert refused.value.values["reason"] == "@data.skipped.kind_text"
    (workspace.data / "both").mkdir()
    (workspace.data / "both" / "a.json").write_text(json.dumps(pairs(4)))
    (workspace.data / "both" / "b.json").write_text(json.dumps([pair] * 2))
    (workspace.data / "dataset_info.json").write_text(json.dumps({"both": {"file_name": "both"}}))
    counts = prepare(spec("both"), workspace, STARTER).counts
    assert (counts.read, counts.used, counts.skipped) == (6, 4, {"kind_preference": 2})


def test_datasets_are_mixed_and_what_is_left_out_or_repeated_is_counted(workspace):
    data(workspace, "a", pairs(40, "a ")), data(workspace, "b", pairs(10, "b "))
    chat = ChatTokenizer.load(STARTER)

    def mixed(strategy: str, **values):
        return prepare(spec("a", "b", mix_strategy=strategy, **{"val_size": 0, **values}), workspace, STARTER)

    under, over = mixed("interleave_under"), mixed("interleave_over")
    assert ["a question" in text for text in texts(under.train, chat)] == [True, False] * 10
    assert (under.each["a"].left_out, under.each["b"].left_out, under.counts.repeated) == (30, 0, 0)
    assert len(over.train) == 80 and (over.each["a"].repeated, over.each["b"].repeated) == (0, 30)
    shared = mixed("interleave_under", interleave_probs=[0.9, 0.1])
    assert sum("a question" in text for text in texts(shared.train, chat)) > 0.7 * len(shared.train)
    held = mixed("interleave_over", val_size=10)
    assert not set(texts(held.train, chat)) & set(texts(held.evaluation, chat)) and held.counts.held_out == 10
    assert held.counts.used == 50 == held.counts.held_out + len(set(texts(held.train, chat))) + held.counts.left_out


def test_a_name_with_a_number_takes_so_many_rows_of_that_dataset(workspace):
    data(workspace, "a", pairs(30, "a ")), data(workspace, "b", pairs(20, "b "))
    prepared = prepare(spec("a#7", "b", val_size=0), workspace, STARTER)
    assert (prepared.each["a#7"].read, prepared.each["b"].read) == (7, 20)
    assert set(prepared.fingerprints) == {"a", "b"}


def test_an_evaluation_dataset_takes_the_place_of_the_split(workspace):
    data(workspace, "train", pairs(20)), data(workspace, "held", pairs(3, "held "))
    prepared = prepare(spec("train", eval_dataset=["held"]), workspace, STARTER)
    assert (len(prepared.train), len(prepared.evaluation), prepared.counts.held_out) == (20, 3, 0)
    assert set(prepared.fingerprints) == {"train", "held"}


def test_several_datasets_follow_each_other_and_max_samples_counts_for_each(workspace):
    data(workspace, "a", pairs(30, "a ")), data(workspace, "b", pairs(20, "b "))
    prepared = prepare(spec("a", "b", max_samples=10, val_size=0), workspace, STARTER)
    found = texts(prepared.train, ChatTokenizer.load(STARTER))
    assert len(found) == 20 and "a question 9" in found[9] and "b question 0" in found[10]


def test_a_second_preparation_reads_the_cache_and_gives_the_same_rows(workspace, monkeypatch):
    name = data(workspace, "d", pairs(50))
    first = prepare(spec(name), workspace, STARTER)
    monkeypatch.setattr(ChatTokenizer, "encode_batch", lambda *_: pytest.fail("tokenised again"))
    second = prepare(spec(name, learning_rate=1e-5, seed=7), workspace, STARTER)
    assert second.counts == first.counts and second.fingerprints == first.fingerprints
    heard = []
    prepare(spec(name), workspace, STARTER, on_progress=lambda done, total: heard.append((done, total)))
    assert heard == [(50, 50)]


@pytest.mark.parametrize("change", [{"cutoff_len": 64}, {"train_on_prompt": True}, {"mask_history": True},
                                    {"template": "alpaca"}, {"default_system": "s"}, {"max_samples": 5}])
def test_what_changes_the_tokens_changes_the_cache(workspace, change):
    name = data(workspace, "d", pairs(10))
    prepare(spec(name), workspace, STARTER)
    prepare(spec(name, **change), workspace, STARTER)
    assert len(list((workspace.cache / "tokens").iterdir())) == 2


def test_a_changed_file_is_read_anew(workspace):
    prepare(spec(data(workspace, "d", pairs(10))), workspace, STARTER)
    assert prepare(spec(data(workspace, "d", pairs(11))), workspace, STARTER).counts.read == 11


def test_a_file_is_hashed_again_only_when_the_disk_says_that_it_changed(workspace, monkeypatch):
    path = workspace.data / "d.json"
    data(workspace, "d", pairs(10)), _age(path, 60)
    monkeypatch.setattr(fingerprint, "_SETTLED_SECONDS", -1.0)  # the change time cannot be set back
    first = prepare(spec("d"), workspace, STARTER)
    hashed = []
    really = fingerprint._hash
    monkeypatch.setattr(fingerprint, "_hash", lambda path: hashed.append(path) or really(path))
    assert prepare(spec("d"), workspace, STARTER).fingerprints == first.fingerprints and not hashed
    words = path.read_text(encoding="utf-8").replace("answer 3", "answer 4")
    path.write_text(words, encoding="utf-8"), _age(path, 60)  # the same size and time of writing
    assert prepare(spec("d"), workspace, STARTER).fingerprints != first.fingerprints and hashed == [path]


def _age(path: Path, seconds: int) -> None:
    os.utime(path, (1_700_000_000 - seconds, 1_700_000_000 - seconds))


def test_a_second_start_loads_no_tokenizer(workspace, monkeypatch):
    prepare(spec(data(workspace, "d", pairs(10))), workspace, STARTER)
    monkeypatch.setattr(ChatTokenizer, "load", lambda *_: pytest.fail("loaded"))
    assert prepare(spec("d"), workspace, STARTER).counts.read == 10


def test_what_is_read_without_a_word_is_what_a_run_reads_without_a_word(workspace):
    assert Reading.of(check({})) == Reading(learns="chat")
    entry = Entry("d", workspace.data / f"{data(workspace, 'd', pairs(10))}.json")
    done = tokenise(entry, STARTER, workspace, Reading())
    prepare(spec("d"), workspace, STARTER)
    assert [path.name for path in (workspace.cache / "tokens").iterdir()] == [done.folder.name]


def test_tokenized_path_keeps_the_rows_in_a_folder_of_the_workspace(workspace, monkeypatch):
    data(workspace, "d", pairs(10))
    wanted = spec("d", tokenized_path="saves/tokens")
    first = prepare(wanted, workspace, STARTER)
    (kept,) = (workspace.root / "saves" / "tokens").iterdir()
    assert kept.name.startswith("d-") and not (workspace.cache / "tokens").exists()
    with monkeypatch.context() as patch:
        patch.setattr(ChatTokenizer, "encode_batch", lambda *_: pytest.fail("tokenised again"))
        assert prepare(wanted, workspace, STARTER).counts == first.counts
    data(workspace, "d", pairs(11))
    assert prepare(wanted, workspace, STARTER).counts.read == 11
    for outside in ("../elsewhere", "/tmp/elsewhere"):
        with pytest.raises(InputError) as refused:
            prepare(spec("d", tokenized_path=outside), workspace, STARTER)
        assert refused.value.code == "tokenized_path_outside"


def test_a_preference_is_kept_as_two_rows_which_differ_in_what_is_trained(workspace):
    rows = [{"instruction": f"q {place}", "chosen": "good", "rejected": "worse"} for place in range(5)]
    entry = Entry("p", workspace.data / f"{data(workspace, 'p', rows)}.json")
    done = tokenise(entry, STARTER, workspace, Reading())
    chat = ChatTokenizer.load(STARTER)
    assert (done.counts.used, len(done.rows), done.found) == (5, 10, False)
    (ids, labels), (_, worse) = done.rows.row(4), done.rows.row(5)
    assert "q 2" in chat.decode(ids) and "good" in chat.decode(labels[labels >= 0])
    assert "worse" in chat.decode(worse[worse >= 0])
    assert tokenise(entry, STARTER, workspace, Reading()).found


def test_a_file_changed_while_it_is_read_is_refused_and_nothing_is_kept(workspace):
    path = workspace.data / f"{data(workspace, 'd', pairs(2000))}.json"

    def change(done: int, total: int) -> None:
        os.utime(path, (1, 1))

    with pytest.raises(InputError) as refused:
        prepare(spec("d"), workspace, STARTER, on_progress=change)
    assert refused.value.code == "dataset_changed" and not list((workspace.cache / "tokens").iterdir())


def test_more_different_tokens_than_two_bytes_can_name_are_kept_as_they_are(tmp_path):
    rows = [list(range(start, start + 1000)) for start in range(0, 200_000, 1000)]
    writer = RowWriter(tmp_path)
    for place in range(0, 200, 10):
        writer.write(rows[place:place + 10], [[1, 3]] * 10)
    writer.close()
    stored = Stored(tmp_path)
    assert len(stored) == 200 and stored.largest_id == 199_999
    for place, row in enumerate(rows):
        ids, labels = stored.row(place)
        assert ids.tolist() == row and labels[1:3].tolist() == row[1:3] and (labels[3:] == -100).all()
    assert all((tmp_path / name).stat().st_size for name in ("codes.u16", "ids.i32"))


def test_a_damaged_cache_is_made_anew(workspace):
    name = data(workspace, "d", pairs(10))
    prepare(spec(name), workspace, STARTER)
    rows = next((workspace.cache / "tokens").glob("*/codes.u16"))
    rows.write_bytes(rows.read_bytes()[:100])
    assert len(prepare(spec(name, val_size=0), workspace, STARTER).train) == 10


def test_a_dry_run_writes_nothing(workspace):
    name = data(workspace, "d", pairs(10))
    prepared = prepare(spec(name, val_size=0), workspace, STARTER, write_cache=False)
    assert "question 3" in texts(prepared.train, ChatTokenizer.load(STARTER))[3]
    assert not workspace.cache.exists()


def test_two_processes_that_prepare_the_same_rows_do_not_disturb_each_other(workspace):
    name = data(workspace, "d", pairs(3000))
    code = ("import sys; from studio.workspace import Workspace; from studio.specs.train import check;"
            "from studio.data.prepare import prepare; w = Workspace.at(sys.argv[1]);"
            "print(prepare(check({'dataset': [sys.argv[2]]}), w, w.starter).counts.tokens)")
    ways = [subprocess.Popen([sys.executable, "-c", code, str(workspace.root), name], cwd=PROJECT, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    found = [way.communicate(timeout=120) for way in ways]
    assert len({out for out, _ in found}) == 1 and found[0][0].strip().isdigit(), found
    assert len(list((workspace.cache / "tokens").iterdir())) == 1


def test_progress_is_told_and_a_stop_is_heeded(workspace):
    name, heard = data(workspace, "d", pairs(2000)), []
    with pytest.raises(StopAsked):
        prepare(spec(name), workspace, STARTER, should_stop=lambda: len(heard) >= 2,
                on_progress=lambda done, total: heard.append((done, total)))
    assert len(heard) == 2 and all(0 < done <= total for done, total in heard)
    assert not list((workspace.cache / "tokens").iterdir())
    prepare(spec(name), workspace, STARTER, on_progress=lambda done, total: heard.append((done, total)))
    assert heard[-1] == (2000, 2000)


REFUSALS = [
    ([], {}, "dataset_empty"), ([{"instruction": "a", "output": ""}] * 3, {}, "dataset_no_usable"),
    ([{"instruction": "word " * 100, "output": "b"}], {"cutoff_len": 16}, "cutoff_below_prompt"),
    ([{"left": "a", "right": "b"}], {}, "dataset_columns"), ([1, 2], {}, "dataset_no_usable"),
]


@pytest.mark.parametrize(("rows", "values", "code"), REFUSALS)
def test_a_dataset_that_teaches_nothing_is_one_clear_sentence(workspace, rows, values, code):
    with pytest.raises(InputError) as refused:
        prepare(spec(data(workspace, "d", rows), **values), workspace, STARTER)
    assert refused.value.code == code
    for lang in ("en", "zh"):
        assert "{" not in sentences.of_error(lang, refused.value)
    assert "@" not in sentences.of_error("en", refused.value)
    assert not list((workspace.cache / "tokens").iterdir()) if workspace.cache.exists() else True


def test_an_empty_file_and_comparisons_are_refused(workspace):
    (workspace.data / "none.json").write_bytes(b"")
    codes = {"none": "dataset_empty", "preferences": "dataset_is_ranking", "plain": "dataset_no_usable"}
    for name, code in codes.items():
        with pytest.raises(InputError) as refused:
            prepare(spec(name), workspace, STARTER)
        assert refused.value.code == code


def test_a_tokenizer_of_another_model_is_refused(workspace, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (model / name).write_bytes((STARTER / name).read_bytes())
    (model / "config.json").write_text('{"model_type": "llama", "vocab_size": 20}', encoding="utf-8")
    with pytest.raises(InputError) as refused:
        prepare(spec(data(workspace, "d", pairs(5))), workspace, model)
    assert refused.value.code == "tokenizer_too_large"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_that_cannot_be_written_is_one_clear_sentence(workspace):
    name = data(workspace, "d", pairs(5))
    workspace.root.chmod(0o500)
    try:
        with pytest.raises(WorkError) as refused:
            prepare(spec(name), workspace, STARTER)
    finally:
        workspace.root.chmod(0o700)
    assert refused.value.code == "cache_not_writable"


def test_a_cache_folder_that_is_a_file_is_one_clear_sentence(workspace):
    name = data(workspace, "d", pairs(5))
    workspace.cache.write_text("", encoding="utf-8")
    with pytest.raises(WorkError) as refused:
        prepare(spec(name), workspace, STARTER)
    assert refused.value.code == "cache_not_writable"


def _on_a_full_disk(root: str, name: str, answer) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        prepare(check({"dataset": [name]}), Workspace(Path(root)), STARTER)
    except WorkError as error:
        answer.send((error.code, sorted(path.name for path in (Path(root) / ".cache/tokens").iterdir())))


def test_a_disk_that_is_full_is_one_clear_sentence_and_leaves_nothing(workspace):
    ours, theirs = multiprocessing.Pipe()
    name = data(workspace, "d", pairs(3000))
    fork = multiprocessing.get_context("fork")
    process = fork.Process(target=_on_a_full_disk, args=(str(workspace.root), name, theirs))
    process.start()
    assert ours.poll(60), "no answer"
    assert ours.recv() == ("disk_full", [])
    process.join()


def test_old_cache_entries_go(workspace, monkeypatch):
    monkeypatch.setattr(cache, "MOST_KEPT", 2)
    for count in range(1, 5):
        prepare(spec(data(workspace, "d", pairs(count + 1))), workspace, STARTER)
    assert len(list((workspace.cache / "tokens").iterdir())) == 2


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is absent")
@pytest.mark.parametrize(("model", "template"), [("models/stories3M", "alpaca"), ("models/cardputer-chat-3M", "own")])
def test_real_instructions_for_real_models(workspace, model, template):
    for name in ("lf_alpaca_en_demo", "lf_alpaca_zh_demo"):
        (workspace.data / f"{name}.json").write_bytes((SHARED / f"instruct/{name}.json").read_bytes())
    prepared = prepare(spec("lf_alpaca_en_demo", "lf_alpaca_zh_demo", template=template, cutoff_len=512), workspace,
                       SHARED / model)
    assert prepared.counts.read == 1999 and prepared.counts.used > 1950 and prepared.counts.held_out == 100


def test_many_rows_are_tokenised_in_little_memory(workspace):
    name = data(workspace, "d", pairs(30_000))
    prepare(spec("identity"), workspace, STARTER)  # imports and templates are paid for
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    prepare(spec(name), workspace, STARTER)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 60_000  # KiB
