"""What is said when a start cannot be prepared: one sentence with the remedy, in both languages."""

from __future__ import annotations

import ast
import errno
import importlib
import json
import os
import re
import shutil
import string
import subprocess
import sys
from pathlib import Path

import pytest

import launch
from studio.prepare.options import Options
from studio.prepare.refusal import Refusal, refusal_of, refusal_of_output

from .conftest import ROOT, Project

SENTENCES = json.loads((ROOT / "locales" / "launch.json").read_text("utf-8"))
SOURCES = [ROOT / "launch.py", ROOT / "tests" / "run.py", *(ROOT / "studio" / "prepare").glob("*.py")]


@pytest.mark.slow
@pytest.mark.parametrize(("language", "word"), [("en_US.UTF-8", "network"), ("zh_CN.UTF-8", "网络")])
def test_no_network_and_no_wheels_is_one_sentence_with_the_remedy(ready: Project, language: str, word: str) -> None:
    ready.require("tinypack==3.0")
    started = ready.start(wheels=False, LANG=language, PIP_RETRIES="1")
    assert started.code == 1
    assert word in started.sentence and "--wheels" in started.sentence
    assert "tinypack==3.0" in ready.log, "pip's own output is kept"
    ready.require("tinypack==1.0")
    assert ready.start().told["tinypack"] == "1.0"


@pytest.mark.slow
def test_a_folder_that_lacks_a_wheel_is_told_with_the_package(ready: Project) -> None:
    ready.require("tinypack==1.0", "otherpack==2.0")
    started = ready.start()
    assert started.code == 1
    assert "otherpack==2.0" in started.sentence and str(ready.wheels) in started.sentence


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["--wheels", "no/such folder"], "no/such folder"),
        (["--wheels"], "--wheels"),
        (["--torch-index="], "--torch-index"),
    ],
)
def test_a_wrong_flag_of_the_launcher_is_refused(project: Project, words: list[str], named: str) -> None:
    started = project.start(*words, wheels=False)
    assert (started.code, started.out) == (2, "")
    assert named in started.sentence
    assert not project.venv.exists()


@pytest.mark.parametrize("language", ["en", "zh"])
def test_an_old_python_is_told_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], language: str
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 18))
    assert launch.main(["--lang", language]) == 2
    said = capsys.readouterr().err
    assert said == SENTENCES[language]["python_too_old"].format(found="3.9.18") + "\n"


def test_python_3_6_can_parse_the_launcher() -> None:
    ast.parse((ROOT / "launch.py").read_text("utf-8"), feature_version=(3, 6))


@pytest.mark.parametrize("version", ["3.6", "3.8", "3.10"])
def test_a_really_old_python_gets_the_sentence(project: Project, version: str) -> None:
    places = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    found = str(places[0]) if places else shutil.which(f"python{version}")
    if not found or subprocess.run([found, "-c", ""], capture_output=True).returncode:
        pytest.skip(f"this machine has no Python {version}")
    done = subprocess.run([found, *project.command()[1:]], env=project.variables(), capture_output=True, text=True)
    assert done.returncode == 2
    assert re.fullmatch(rf"Python {version}\.\d+ is too old .+\n", done.stderr)


def test_a_terminal_without_chinese_letters_is_told_in_english(project: Project) -> None:
    started = project.start("--wheels", wheels=False, LANG="zh_CN.GB2312", PYTHONUTF8="0", PYTHONIOENCODING="ascii")
    assert started.sentence == SENTENCES["en"]["flag_needs_value"].format(flag="--wheels")


@pytest.mark.parametrize(
    ("words", "variables", "language"),
    [
        ([], {"LANG": "zh_CN.UTF-8"}, "zh"),
        ([], {"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ([], {"LANG": "en_US.UTF-8", "STUDIO_LANG": "zh"}, "zh"),
        (["--lang=en"], {"LANG": "zh_CN.UTF-8"}, "en"),
        (["train", "--lang", "zh"], {}, "zh"),
        ([], {}, "en"),
    ],
)
def test_the_language_is_the_one_asked_for_else_the_terminals(
    monkeypatch: pytest.MonkeyPatch, words: list[str], variables: dict[str, str], language: str
) -> None:
    for name in ("STUDIO_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert launch.language_of(words) == language


def test_without_its_sentences_the_launcher_tells_their_keys(project: Project) -> None:
    (project.folder / "locales" / "launch.json").unlink()
    assert project.start("--wheels", wheels=False).sentence == "flag_needs_value flag=--wheels"


@pytest.mark.parametrize(
    ("output", "wheels", "key"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "", "disk_full"),
        ("ERROR: [Errno 13] Permission denied: '/opt/x/.venv/lib/a.py'", "", "no_permission"),
        ("Retrying (Retry(total=4 ... NewConnectionError ...\nNo matching distribution found for a", "", "no_network"),
        ("ERROR: No matching distribution found for torch==2.13.0", "", "package_not_found"),
        ("ERROR: No matching distribution found for torch==2.13.0", "/wheels", "wheels_lack"),
        ("something else", "", "installation_failed"),
    ],
)
def test_pips_output_is_understood(output: str, wheels: str, key: str) -> None:
    assert refusal_of_output(output, log="L", folder="F", wheels=wheels).key == key


@pytest.mark.parametrize(
    ("number", "key"),
    [
        (errno.ENOSPC, "disk_full"),
        (errno.EACCES, "no_permission"),
        (errno.EROFS, "no_permission"),
        (errno.EIO, "file_trouble"),
    ],
)
def test_an_error_of_the_disk_is_a_sentence(number: int, key: str) -> None:
    refusal = refusal_of(OSError(number, "words", "/place"))
    assert (refusal.exit_code, refusal.key) == (1, key)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_write_permission_is_one_sentence(project: Project) -> None:
    project.folder.chmod(0o555)
    try:
        started = project.start()
    finally:
        project.folder.chmod(0o755)
    assert started.code == 1
    assert str(project.folder) in started.sentence and "--no-venv" in started.sentence


def test_words_after_a_bare_double_dash_are_left_alone() -> None:
    options = Options.read(["train", "--no-venv", "--", "--no-venv", "test"])
    assert options.no_venv
    assert options.rest == ["train", "--", "--no-venv", "test"]
    with pytest.raises(Refusal):
        Options.read(["--torch-index"])


def placeholders(sentence: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(sentence) if name}


def test_both_languages_say_the_same() -> None:
    assert SENTENCES["en"].keys() == SENTENCES["zh"].keys()
    for key, sentence in SENTENCES["en"].items():
        assert placeholders(SENTENCES["zh"][key]) == placeholders(sentence), key
    assert not [sentence for sentence in SENTENCES["zh"].values() if re.search(r"[,;()]", sentence)]


def test_every_sentence_is_used_and_every_key_has_one() -> None:
    words = {
        node.value
        for source in SOURCES
        for node in ast.walk(ast.parse(source.read_text("utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert SENTENCES["en"].keys() <= words
    # What parts.py refuses is told by the studio, which stands by then: tests/launch/test_parts.py.
    sources = "".join(source.read_text("utf-8") for source in SOURCES if source.name != "parts.py")
    calls = re.findall(r'(?:Refusal\(\d, |say\(|Step\()"(\w+)"', sources)
    assert set(calls) <= SENTENCES["en"].keys()


def test_preparing_needs_only_the_standard_library() -> None:
    names = [f"studio.prepare.{path.stem}" for path in (ROOT / "studio" / "prepare").glob("[a-z]*.py")]
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import launch, {', '.join(names)}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert importlib.import_module("launch").OLDEST_PYTHON == (3, 11)
