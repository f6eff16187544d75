"""Bad models, tokenizers and datasets: one clear sentence in both languages, exit code 2, and no run is made."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from studio.cli import main

STARTER = Path(__file__).resolve().parents[2] / "data" / "starter"
Place = Path


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """An empty root."""
    for name in ("STUDIO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "root"
    (root / "data").mkdir(parents=True)
    monkeypatch.setenv("STUDIO_ROOT", str(root))
    monkeypatch.chdir(tmp_path)
    return root


def refused(capsys: pytest.CaptureFixture[str], place: Place, *words: str) -> tuple[str, str]:
    """The one sentence in English and in Chinese with which the words are refused; nothing is written."""
    said = []
    for lang in ("en", "zh"):
        assert main(["train", "--lang", lang, *words]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1, err
        assert "Traceback" not in err
        said.append(err)
    assert not (place / "saves").exists()
    english, chinese = said
    assert any("一" <= letter <= "鿿" for letter in chinese)
    assert english.isascii()
    assert "['" not in english + chinese
    return english, chinese


def changed(file: str, **values: Any) -> Callable[[Path], None]:
    """A JSON file of a model with other values; None takes a key away."""

    def work(folder: Path) -> None:
        kept = {**json.loads((folder / file).read_text()), **values}
        kept = {name: value for name, value in kept.items() if value is not None}
        (folder / file).write_text(json.dumps(kept))

    return work


def without(*names: str) -> Callable[[Path], None]:
    return lambda folder: [(folder / name).unlink() for name in names] and None


def emptied(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def pickled(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def cut(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def endless(folder: Path) -> None:
    """No file names an end token, and neither does the template."""
    template = "{% for message in messages %}{{ message.content }} {% endfor %}"
    changed("tokenizer_config.json", eos_token=None, chat_template=template)(folder)
    changed("generation_config.json", eos_token_id=None)(folder)
    changed("config.json", eos_token_id=None)(folder)


def whole_numbers(folder: Path) -> None:
    """Weights of a type that is not trained."""
    header = {"model.embed_tokens.weight": {"dtype": "I8", "shape": [4, 4], "data_offsets": [0, 16]}}
    text = json.dumps(header).encode()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(16))


# what is done to a model · what the sentence names, beside the folder
MODELS: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (shutil.rmtree, "no such folder"),
    "empty": (emptied, "is empty"),
    "no config": (without("config.json"), "config.json"),
    "broken config": (lambda folder: (folder / "config.json").write_text("{") and None, "config.json"),
    "no weights": (without("model.safetensors"), "*.safetensors"),
    "only pickles": (pickled, "pytorch_model.bin"),
    "truncated": (cut, "its download broke off"),
    "no safetensors": (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 99) and None, "broke off"),
    "wrong dtype of the config": (changed("config.json", dtype="float8_e4m3fn", torch_dtype=None), "float8_e4m3fn"),
    "wrong dtype of the weights": (whole_numbers, "I8"),
    "no tokenizer": (without("tokenizer.json"), "tokenizer.json"),
    "broken tokenizer": (lambda folder: (folder / "tokenizer.json").write_text("{}") and None, "cannot be read"),
    "no chat template": (changed("tokenizer_config.json", chat_template=None), "default suits"),
    "broken chat template": (changed("tokenizer_config.json", chat_template="{% if %}"), "does not work"),
    "no end token": (endless, "eos_token"),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_bad_model_is_one_sentence(kind: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    folder = place.parent / "my model"
    shutil.copytree(STARTER, folder)
    break_it, named = MODELS[kind]
    break_it(folder)
    english, chinese = refused(capsys, place, f"model_name_or_path={folder}")
    assert named in english
    assert str(folder) in english
    assert str(folder) in chinese


ROW = {"instruction": "1+1?", "output": "2"}
# the file's text · further words · what the sentence names
DATASETS: dict[str, tuple[str | None, list[str], str]] = {
    "empty": ("", [], "has no row"),
    "an empty list": ("[]", [], "has no row"),
    "nothing but useless rows": (json.dumps([{"instruction": "", "output": "x"}] * 9), [], "None of the 9 rows"),
    "rows that are no mappings": ("[1, 2, 3]", [], "None of the 3 rows"),
    "columns nobody knows": (json.dumps([{"foo": "a", "bar": "b"}]), [], "foo, bar"),
    "broken off at the end": (json.dumps([ROW] * 99)[:-9], [], "breaks off in line 1"),
    "no JSON at all": ("hello", [], "breaks off in line 1"),
    "prompts beyond cutoff_len": (json.dumps([{**ROW, "instruction": "one two " * 99}]), ["cutoff_len=32"], "32"),
}


@pytest.mark.parametrize("kind", DATASETS)
def test_a_bad_dataset_is_one_sentence(kind: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    text, more, named = DATASETS[kind]
    (place / "data" / "mine.json").write_text(text or "")
    english, chinese = refused(capsys, place, "dataset=mine", *more)
    assert named in english
    assert "mine" in english
    assert "mine" in chinese


def test_a_dataset_whose_file_is_not_there(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "data" / "dataset_info.json").write_text('{"mine": {"file_name": "gone.json"}}')
    assert "gone.json" in refused(capsys, place, "dataset=mine")[0]
    (place / "data" / "dataset_info.json").write_text("{")
    assert "dataset_info.json" in refused(capsys, place, "dataset=mine")[0]


@pytest.mark.parametrize("name, named", [("preferences", "compares"), ("plain", "plain.txt")])
def test_a_sample_of_another_stage(name: str, named: str, place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert named in refused(capsys, place, f"dataset={name}")[0]
    assert named in refused(capsys, place, f"eval_dataset={name}")[0]


@pytest.mark.parametrize("words", ["lora_target=q_prog", "finetuning_type=freeze freeze_trainable_modules=q_prog"])
def test_a_module_that_is_not_there_names_those_that_are(
    words: str, place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    for sentence in refused(capsys, place, *words.split()):
        assert "q_prog" in sentence
        assert "mlp" in sentence or "q_proj" in sentence


def test_an_adapter_that_is_none(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place.parent / "folder").mkdir()
    for name in ("nowhere", "folder"):
        assert all(name in sentence for sentence in refused(capsys, place, f"adapter_name_or_path={name}"))


def test_saves_that_may_not_be_written(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "saves").write_text("a file where the folder should be")
    for lang in ("en", "zh"):
        assert main(["train", "--lang", lang]) in (1, 2)
        err = capsys.readouterr().err
        assert err.count("\n") == 1
        assert str(place / "saves") in err
