"""Bad input: each thing that is wrong is one clear sentence on stderr, exit code 2, and nothing is written."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from studio.cli import main
from studio.cli.words import VERBS
from studio.texts import say

STARTER = Path(__file__).resolve().parents[2] / "data" / "starter"


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root that stays empty, and no language in the environment."""
    for name in ("STUDIO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("STUDIO_ROOT", str(tmp_path / "root"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "root").mkdir()
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    """The sentences with which the words are refused; nothing else is said, nothing written."""
    assert main(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    lines = said.err.splitlines()
    assert lines and not any("Traceback" in line for line in lines)
    return lines


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("learning_rate=abc", 'learning_rate is "abc"; it must be a number.'),
        ("learning_rate=0", "learning_rate is 0; it must be more than 0."),
        ("learning_rate=-1", "learning_rate is -1; it must be more than 0."),
        ("learning_rate=.inf", "learning_rate is inf; it must be a finite number."),
        ("learning_rate=inf", "learning_rate is inf; it must be a finite number."),
        ("lora_rank=[1,2]", "lora_rank is 1, 2; it takes a single value, not a list or a mapping."),
        ("load_best_model_at_end=true val_size=0", "load_best_model_at_end is on, but this run does not evaluate."),
        (
            "finetuning_type=full quantization_bit=4",
            "quantization_bit is 4, but finetuning_type full moves the weights",
        ),
        ("lora_rnak=4", "The studio has no argument lora_rnak. Did you mean lora_rank?"),
        ("--lora_rnak 4", "The studio has no argument lora_rnak. Did you mean lora_rank?"),
        ("dataset=number_wrds", "There is no dataset number_wrds. Did you mean number_words?"),
        ("model_name_or_path=nowhere", "There is no model nowhere"),
        ("deepspeed=ds.json", "deepspeed is ds.json; the studio cannot do that yet."),
        ("template=dbrx", "The template dbrx is not in the studio yet."),
        ("template=chatlm", "There is no template chatlm; the nearest is chatglm."),
        ("stage=dpo", "dpo"),
        ("--name ../x", "../x is a path"),
        ("--name 😀", "😀"),
        ("output_dir=../x", "../x is a path"),
        ("max_steps=0", "max_steps is 0; it must be at least 1, or -1"),
        ("lora_target=nothing_like_it", "q_proj"),
        ("hello", "The file hello does not exist."),
        ("lora_rank=4 hello", "These words say nothing here: hello."),
        ("missing.yaml", "missing.yaml does not exist"),
        ("finetuning_type=full lora_rank=4", "lora_rank is 4, but it belongs to finetuning_type lora"),
    ],
)
def test_a_wrong_value_is_one_sentence(
    words: str, sentence: str, capsys: pytest.CaptureFixture[str], alone: Path
) -> None:
    lines = refused(capsys, "train", *words.split())
    assert len(lines) == 1
    assert sentence in lines[0]
    assert not (alone / "root" / "saves").exists()


def test_a_long_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(refused(capsys, "train", "--name", "x" * 300)) == 1


def test_all_problems_are_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    lines = refused(
        capsys,
        "train",
        "lora_rank=0",
        "learning_rate=abc",
        "dataset=nix",
        "model_name_or_path=/no",
        "stray",
        "--name",
        "../x",
    )
    assert len(lines) == 6


def test_the_same_in_chinese(capsys: pytest.CaptureFixture[str]) -> None:
    lines = refused(capsys, "--lang", "zh", "train", "lora_rank=0", "dataset=nix")
    assert len(lines) == 2
    assert all(any("一" <= letter <= "鿿" for letter in line) for line in lines)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("lora_rank:\t8\nstage: sft\n\tx: 1\n", "has a tab"),
        ("lora_rank: 8\nlora_rank: 16\n", "The key lora_rank stands twice (again in line 2)."),
        ("- a\n- b\n", "it must hold"),
        ("lora_rank: [8]\n", "lora_rank is 8; it takes a single value"),
        ("lora_rank: {a: 1}\n", "it takes a single value"),
        ("a: [1\n", "is not YAML"),
    ],
)
def test_wrong_yaml_is_one_sentence(text: str, sentence: str, capsys: pytest.CaptureFixture[str], alone: Path) -> None:
    (alone / "spec.yaml").write_text(text)
    lines = refused(capsys, "train", "spec.yaml")
    assert len(lines) == 1
    assert sentence in lines[0]


def test_a_recipe_that_is_no_text_or_a_folder(capsys: pytest.CaptureFixture[str], alone: Path) -> None:
    (alone / "bytes.yaml").write_bytes(b"\xff\xfe\x00a")
    (alone / "folder.yaml").mkdir()
    for name in ("bytes.yaml", "folder.yaml"):
        assert len(refused(capsys, "train", name)) == 1


@pytest.mark.parametrize("words", ["train --help", "runs --help", "runs stop -h", "demo --help", "--help"])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_help_speaks_one_language(words: str, lang: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words.split(), "--lang", lang]) == 0
    said = capsys.readouterr().out
    chinese = any("一" <= letter <= "鿿" for letter in said)
    assert chinese == (lang == "zh")
    assert say(lang, "cli.help.usage", usage="")[:3] in said


def test_train_help_names_every_argument(capsys: pytest.CaptureFixture[str]) -> None:
    from studio.specs.train import ARGUMENTS

    assert main(["train", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(f"  {name}=" in said for name in ARGUMENTS)
    assert max(map(len, said.splitlines())) <= 300


@pytest.mark.parametrize("verb", ["estimate", "bogus"])
def test_a_verb_that_does_not_exist_names_those_that_do(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    known = ", ".join(VERBS)
    assert refused(capsys, verb, "x") == [f"There is no command {verb}; the commands are {known}."]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("runs bogus", "There is no command runs bogus; the commands are runs list,"),
        ("runs stop", "Say which: python launch.py runs stop RUN …"),
        ("runs show a b", "runs show does not take b."),
        ("runs list --jsn", "There is no option --jsn. Did you mean --json?"),
        ("runs show nothing", "There is no run"),
        ("runs logs ../../etc", "There is no run"),
        ("runs restore nothing", "There is no run"),
        ("--port 0", "The port is 0; it must be a whole number from 1 to 65535."),
        ("--port 99999", "The port is 99999"),
        ("--port", "--port needs a value"),
        ("--auth name", "--auth must be a name and a password"),
        ("--host 0.0.0.0", "0.0.0.0 is open to other machines; that needs a login."),
        ("--bogus", "There is no option --bogus."),
        ("--lang fr runs list", "There is no language fr; the studio speaks en, zh."),
        ("runs list --lang=xx", "There is no language xx;"),
    ],
)
def test_wrong_words_are_refused(words: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = refused(capsys, *words.split())
    assert len(lines) == 1
    assert lines[0].startswith(sentence)


def test_an_unknown_language_of_the_environment(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUDIO_LANG", "tlh")
    assert "tlh" in refused(capsys, "runs", "list")[0]
    monkeypatch.delenv("STUDIO_LANG")
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    assert main(["runs", "list"]) == 0
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    assert main(["runs", "list"]) == 0
    assert "还没有任何运行" in capsys.readouterr().err


def test_a_taken_port_that_was_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        assert refused(capsys, "--port", str(port), "--no-browser") == [say("en", "errors.port_taken", port=port)]


def test_an_address_of_another_machine(capsys: pytest.CaptureFixture[str]) -> None:
    assert refused(capsys, "--host", "203.0.113.7", "--auth", "a:b")[0].startswith("This machine has no address")


def test_an_unexpected_error_is_a_sentence_and_a_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, alone: Path
) -> None:
    def broken(*_: object) -> list[object]:
        raise RuntimeError("the sky fell")

    monkeypatch.setattr("studio.runs.store.RunStore.summaries", broken)
    assert main(["runs", "list"]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "the sky fell" in said
    logs = list((alone / "root" / "saves" / ".log").iterdir())
    assert len(logs) == 1
    assert "Traceback" in logs[0].read_text()
    monkeypatch.setenv("STUDIO_TRACEBACK", "1")
    with pytest.raises(RuntimeError):
        main(["runs", "list"])
