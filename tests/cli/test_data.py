"""`data …`: datasets looked at by name or by path; shapes for machines, words for people, one sentence for mistakes."""

from __future__ import annotations

import json
import os
import pty
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from studio.cli import main
from studio.data.chat import ChatTokenizer
from studio.sample import Message, Sample
from studio.workspace import Workspace
from tests.cli.client import Client

ROWS = [{"instruction": "Write 7 in words.", "output": "seven"}, {"instruction": "No answer", "output": ""},
        {"instruction": "Say it often.", "output": "often " * 40}]


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root of its own with the dataset `mine`, and no language in the environment."""
    for name in ("STUDIO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STUDIO_ROOT", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "mine.json").write_text(json.dumps(ROWS), encoding="utf-8")
    (tmp_path / "data" / "dataset_info.json").write_text('{"mine": {"file_name": "mine.json"}}', encoding="utf-8")
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    """What `--json` prints; nothing is said on stderr."""
    assert main(["data", *words, "--json"]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return json.loads(said.out)


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """The sentences with which the words are refused."""
    assert main(["data", *words]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err.splitlines()


def test_the_list_has_ones_own_sets_first_and_then_the_samples(capsys: pytest.CaptureFixture[str]) -> None:
    listed = told(capsys, "list")
    assert listed[0] | {"path": None, "bytes": 0} == {
        "name": "mine", "path": None, "format": "alpaca", "rows": 3, "bytes": 0, "here": True, "remote": None,
        "shipped": False}
    assert "number_words" in [line["name"] for line in listed if line["shipped"]]
    assert main(["data"]) == 0
    assert "mine" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mine", "data/mine.json", "data"])
def test_a_name_and_a_path_are_the_same(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["text"] for row in told(capsys, "preview", name)] == [
        row["text"] for row in told(capsys, "preview", "mine")]


def test_the_words_of_a_recipe_mean_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    spelled = ("dataset=mine", "model_name_or_path=starter", "template=alpaca", "cutoff_len=40")
    flags = ("mine", "--model", "starter", "--template", "alpaca", "--cutoff-len", "40")
    assert told(capsys, "stats", *spelled) == told(capsys, "stats", *flags)
    assert refused(capsys, "stats", "mine", "cutoff_len=many") == refused(capsys, "stats", "mine", "--cutoff-len=many")


def test_stats_have_their_shape(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "stats", "mine", "--cutoff-len", "40")
    assert set(found) == {"rows", "tokens", "trained_tokens", "cut_rows", "percentiles"}
    assert (found["rows"], found["cut_rows"]) == (3, 1)
    assert list(found["percentiles"]) == ["count", "mean", "std", "min", "25%", "50%", "75%", "90%", "95%", "99%",
                                          "max"]
    assert found["percentiles"]["count"] == 2
    assert told(capsys, "stats", "mine", "--rows", "1")["rows"] == 1


def test_the_preview_is_what_training_has(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "preview", "mine", "--rows", "5", "--cutoff-len", "40")
    chat = ChatTokenizer.load(Workspace().starter)
    assert len(found) == 2
    for row, wanted in zip(found, (ROWS[0], ROWS[2]), strict=True):
        sample = Sample((Message("user", wanted["instruction"]), Message("assistant", wanted["output"])))
        encoded = chat.encode(sample, 40)
        assert not isinstance(encoded, str)
        assert set(row) == {"text", "input_ids", "labels"}
        assert (row["input_ids"], row["labels"]) == (encoded.ids, encoded.labels.tolist())
        assert len(row["labels"]) == len(row["input_ids"]) and -100 in row["labels"]
        assert row["text"] == chat.decode(encoded.ids, skip_special_tokens=False)


def test_people_see_what_is_learned(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "preview", "mine", "--rows", "1"]) == 0
    assert "⟦seven<|im_end|>⟧" in capsys.readouterr().out


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("words", ["list", "stats mine", "preview mine", "--help", "stats --help", "preview --help"])
def test_every_verb_speaks_both_languages(words: str, lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", *words.split(), "--lang", lang]) == 0
    said = capsys.readouterr()
    chinese = any("\u4e00" <= letter <= "\u9fff" for letter in said.out)
    assert (chinese or "preview mine" in words) == (lang == "zh" or "preview mine" in words)
    assert said.err == ""


@pytest.mark.parametrize(("words", "sentence"), [
    ("stats", "Say which: python launch.py data stats NAME_OR_PATH"),
    ("stats mine other", "data stats does not take other."),
    ("stats nowhere", "There is no dataset nowhere."),
    ("stats mnie", "Did you mean mine?"),
    ("stats /no/such/file.json", "/no/such/file.json"),
    ("stats mine --cutoff-len 3", "--cutoff-len is 3; it must be a whole number from 8 to 1048576."),
    ("stats mine --rows -1", "--rows is -1; it must be a whole number of at least 1."),
    ("stats mine --rows many", "--rows is many; it must be a whole number of at least 1."),
    ("stats mine --model nowhere", "There is no model nowhere"),
    ("stats mine --model some/model", "The model some/model is not on this machine"),
    ("stats mine --tempalte=own", "Did you mean --template?"),
    ("nothing mine", "There is no command data nothing"),
])
def test_a_mistake_is_one_sentence(words: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = refused(capsys, *words.split())
    assert len(lines) == 1
    assert sentence in lines[0]


def test_all_mistakes_are_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(refused(capsys, "stats", "nowhere", "--rows", "x", "--cutoff-len", "1")) == 3


def test_a_name_of_the_catalogue_goes_before_a_file_here(capsys: pytest.CaptureFixture[str], alone: Path) -> None:
    (alone / "mine").write_text("not a dataset", encoding="utf-8")
    assert told(capsys, "stats", "mine")["rows"] == 3


def test_looking_leaves_nothing_behind(capsys: pytest.CaptureFixture[str], alone: Path) -> None:
    before = sorted(alone.rglob("*"))
    told(capsys, "stats", "mine")
    told(capsys, "preview", "mine")
    assert sorted(alone.rglob("*")) == before


# ---- check ----


def test_a_check_has_its_shape_and_says_where(capsys: pytest.CaptureFixture[str]) -> None:
    found = told(capsys, "check", "mine")
    assert set(found) == {"format", "encoding", "rows", "usable_rows", "problems"}
    assert (found["format"], found["encoding"], found["rows"], found["usable_rows"]) == ("alpaca", "utf-8", 3, 2)
    assert all(set(problem) == {"code", "count", "examples"} for problem in found["problems"])
    empty = next(problem for problem in found["problems"] if problem["code"] == "empty_answer")
    assert empty["count"] == 1
    assert [set(one) for one in empty["examples"]] == [{"file", "line", "why"}]
    assert empty["examples"][0]["file"] == "mine.json"
    assert told(capsys, "check", "mine", "--rows", "1")["rows"] == 1


def test_a_check_looks_at_tokens_when_a_model_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    def codes(*words: str) -> set[str]:
        return {problem["code"] for problem in told(capsys, "check", "mine", *words)["problems"]}

    assert codes("--cutoff-len", "40") - codes() == {"truncated"}


def test_a_broken_line_is_skipped_and_a_broken_array_says_its_line(
    capsys: pytest.CaptureFixture[str], alone: Path
) -> None:
    lines = [json.dumps(row) for row in (ROWS[0], ROWS[2])]
    (alone / "a.jsonl").write_text(f"{lines[0]}\n{{broken\n{lines[1]}\n", encoding="utf-8")
    (alone / "b.json").write_text("[" + ",\n".join([*lines, "{broken", *lines]) + "]", encoding="utf-8")
    for name, code, line in (("a.jsonl", "broken_line", 2), ("b.json", "dataset_broken", 3)):
        found = told(capsys, "check", name)
        assert (found["format"], found["usable_rows"]) == ("alpaca", 2)
        problem = next(problem for problem in found["problems"] if problem["code"] == code)
        assert problem["count"] == 1
        assert [(one["file"], one["line"]) for one in problem["examples"]] == [(name, line)]


def test_a_file_that_is_no_text_says_so_in_its_own_words(capsys: pytest.CaptureFixture[str], alone: Path) -> None:
    (alone / "binary.json").write_bytes(b"\x00\x01\x02")
    (problem,) = told(capsys, "check", "binary.json")["problems"]
    assert "@" not in problem["examples"][0]["why"]


def test_a_check_speaks_to_people_in_both_languages(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", "mine"]) == 0
    assert "the answer is empty: 1" in capsys.readouterr().out
    assert main(["data", "check", "mine", "--lang", "zh"]) == 0
    assert "mine.json 第" in capsys.readouterr().out


def test_a_file_without_rows_is_one_sentence(capsys: pytest.CaptureFixture[str], alone: Path) -> None:
    (alone / "empty.json").write_text("", encoding="utf-8")
    assert len(refused(capsys, "check", "empty.json")) == 1


# ---- tokenize ----


def test_what_tokenize_keeps_is_what_training_takes(
    capsys: pytest.CaptureFixture[str], alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from studio.data import tokenise
    from studio.data.prepare import prepare
    from studio.specs import train

    made = told(capsys, "tokenize", "mine", "--cutoff-len", "40")
    assert (made["found"], made["rows"], made["used"], made["cut_rows"]) == (False, 3, 2, 1)
    assert made["skipped"] == {"empty_answer": 1}
    assert Path(made["path"]).is_relative_to(alone)
    assert told(capsys, "tokenize", "mine", "--cutoff-len", "40") == made | {"found": True}
    spec = train.check({"dataset": "mine", "cutoff_len": 40, "val_size": 0, "eval_strategy": "no"})
    monkeypatch.setattr(tokenise, "walk", None)  # nobody may read
    prepared = prepare(spec, Workspace(alone), Workspace().starter)
    assert prepared.counts.tokens == made["tokens"]
    with pytest.raises(TypeError):
        prepare(train.check({"dataset": "mine", "cutoff_len": 41}), Workspace(alone), Workspace().starter)


def test_tokenize_notices_a_changed_file_and_another_folder(capsys: pytest.CaptureFixture[str], alone: Path) -> None:
    first = told(capsys, "tokenize", "mine", "--tokenized-path", str(alone / "kept"))
    assert Path(first["path"]).is_relative_to(alone / "kept")
    (alone / "data" / "mine.json").write_text(json.dumps([*ROWS, ROWS[0]]), encoding="utf-8")
    second = told(capsys, "tokenize", "mine", "--tokenized-path", str(alone / "kept"))
    assert (second["found"], second["rows"]) == (False, 4)


# ---- split, convert, make ----


def test_made_split_and_converted_sets_are_datasets(capsys: pytest.CaptureFixture[str], alone: Path) -> None:
    made = told(capsys, "make", "sums", "--rows", "60", "--operations", "+,-", "--range", "1,30", "--seed", "3")
    assert [(one["name"], one["rows"]) for one in made] == [("sums", 54), ("sums_heldout", 6)]
    parts = told(capsys, "split", "sums", "--shares", "8,1,1", "--seed", "1", "--output", "parts")
    assert sum(parts["rows"].values()) == 54
    assert list(parts["names"].values()) == ["parts_train", "parts_validation", "parts_test"]
    written = told(capsys, "convert", "sums", "--to", "openai", "--output", str(alone / "out.jsonl"))
    assert (written["rows"], written["written"], written["left_out"]) == (54, 54, {})
    assert told(capsys, "check", "out.jsonl")["format"] == "openai"
    listed = {line["name"]: line["rows"] for line in told(capsys, "list")}
    assert (listed["parts_train"], listed["sums_heldout"]) == (parts["rows"]["train"], 6)


def test_the_same_seed_makes_the_same_rows(capsys: pytest.CaptureFixture[str]) -> None:
    texts = []
    for name, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        made = told(capsys, "make", name, "--rows", "20", "--seed", seed, "--held-out", "0")
        assert len(made) == 1
        texts.append(Path(made[0]["path"]).read_text(encoding="utf-8"))
    assert texts[0] == texts[1] != texts[2]


def _questions(made: list[dict[str, str]]) -> list[str]:
    lines = Path(made[0]["path"]).read_text(encoding="utf-8").splitlines()
    return [json.loads(line)["instruction"] for line in lines]


def test_sums_stand_between_the_named_pairs_of_words(capsys: pytest.CaptureFixture[str], alone: Path) -> None:
    for name, said, most in (("one", "问:/答:", {"问"}), ("many", "all", set())):
        made = told(capsys, "make", name, "--rows", "40", "--held-out", "0", "--languages", "zh", "--prompts", said)
        asked = _questions(made)
        before = {one.partition(":")[0] for one in asked}
        assert before == most if most else len(before) > 3
        assert all(":" in one.splitlines()[-1] for one in asked)
    made = told(capsys, "make", "bare", "--rows", "20", "--held-out", "0", "--templates", "bare")
    assert not any(sign.isalpha() for one in _questions(made) for sign in one)


def test_a_model_is_told_who_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    made = told(capsys, "make", "me", "--kind", "identity", "--called", "Ada", "--author", "Grace")
    text = Path(made[0]["path"]).read_text(encoding="utf-8")
    assert "Ada" in text and "Grace" in text and "{{" not in text


@pytest.mark.parametrize(("words", "sentence"), [
    ("make mine", "mine already"),
    ("make new --kind poems", "--kind is poems; it must be one of arithmetic, identity."),
    ("make new --kind identity", "name"),
    ("make new --range 1", "--range is 1; it must be two whole numbers"),
    ("make new --held-out many", "--held-out is many; it must be numbers"),
    ("make new --operations ^", "^"),
    ("make new --prompts x/y", "Q:/A:"),
    ("make new --templates songs", "bare, questions, words, prompts"),
    ("split mine --shares a,b", "--shares is a,b; it must be numbers with commas between."),
    ("convert mine", "--to is missing; choose one of"),
    ("convert mine --to nothing", "nothing"),
])
def test_what_cannot_be_made_is_one_sentence(
    words: str, sentence: str, capsys: pytest.CaptureFixture[str], alone: Path
) -> None:
    before = sorted((alone / "data").rglob("*"))
    lines = refused(capsys, *words.split())
    assert len(lines) == 1 and sentence in lines[0]
    assert sorted((alone / "data").rglob("*")) == before


@pytest.mark.slow
def test_a_terminal_is_shown_how_far_it_is_and_left_clean(client: Client, alone: Path) -> None:
    (client.root / "data").mkdir()
    (client.root / "data" / "much.json").write_text(json.dumps(ROWS * 2000), encoding="utf-8")
    ours, theirs = pty.openpty()
    process = client.begin("data", "stats", "much", "--json", stderr=theirs)
    os.close(theirs)
    said = b""
    with suppress(OSError):  # the terminal is gone with its last user
        while chunk := os.read(ours, 4096):
            said += chunk
    result = json.loads(process.communicate(timeout=120)[0])
    assert (process.returncode, result["rows"]) == (0, 6000)
    assert "Reading: 512 of about" in said.decode()
    assert said.decode().endswith("\r\x1b[2K")
