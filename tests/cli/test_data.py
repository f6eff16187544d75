"""`data …`: datasets looked at by name or by path; shapes for machines, words for people, one sentence for mistakes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from studio.cli import main
from studio.data.chat import ChatTokenizer
from studio.sample import Message, Sample
from studio.workspace import Workspace

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
        "name": "mine", "path": None, "format": None, "rows": 3, "bytes": 0, "here": True, "remote": None,
        "shipped": False}
    assert "number_words" in [line["name"] for line in listed if line["shipped"]]
    assert main(["data"]) == 0
    assert "mine" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["mine", "data/mine.json", "data"])
def test_a_name_and_a_path_are_the_same(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert [row["text"] for row in told(capsys, "preview", name)] == [
        row["text"] for row in told(capsys, "preview", "mine")]


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
