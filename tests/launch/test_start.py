"""Starting: what is prepared, what is handed over, and that a second start has nothing to do."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Project, make_wheel

pytestmark = pytest.mark.slow


def test_the_first_start_makes_the_environment_and_hands_every_word_over(project: Project) -> None:
    started = project.start("train", "a b.yaml", "learning_rate=1e-4", "--lang", "zh")
    assert started.told["words"] == ["train", "a b.yaml", "learning_rate=1e-4", "--lang", "zh"]
    assert started.told["tinypack"] == "1.0"
    assert Path(str(started.told["prefix"])) == project.venv
    assert "tinypack" in project.log


def test_the_users_working_directory_is_kept_and_shadows_nothing(ready: Project, tmp_path: Path) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    for name in ("studio", "tinypack", "json", "pip"):
        (place / f"{name}.py").write_text("raise SystemExit('shadowed')")
    assert ready.start("runs", cwd=place).told["cwd"] == str(place)


def test_a_moved_project_needs_no_preparation(ready: Project) -> None:
    before = ready.log
    assert ready.start().err == ""
    assert ready.log == before


def test_the_second_start_touches_nothing_and_says_nothing(ready: Project) -> None:
    for name in ("pip/__main__.py", "pip/__init__.py"):
        (ready.site_packages() / name).write_text("raise SystemExit('pip was called')")
    before = {path: path.stat().st_mtime_ns for path in ready.venv.rglob("*") if "__pycache__" not in path.parts}
    started = ready.start("--version")
    after = {path: path.stat().st_mtime_ns for path in ready.venv.rglob("*") if "__pycache__" not in path.parts}
    assert started.told["words"] == ["--version"]
    assert started.err == ""
    assert after == before


def test_the_second_start_adds_less_than_a_tenth_of_a_second(ready: Project) -> None:
    def seconds(command: list[str], variables: dict[str, str]) -> float:
        began = time.perf_counter()
        subprocess.run(command, env=variables, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began

    python = str(ready.venv / "bin" / "python")
    through = [seconds(ready.command(), ready.variables()) for _ in range(8)]
    plain = ready.variables(PYTHONPATH=str(ready.folder))
    straight = [seconds([python, "-P", "-m", "studio.cli"], plain) for _ in range(8)]
    assert min(through) - min(straight) < 0.1


def test_a_changed_pin_is_installed_and_a_changed_comment_is_not(ready: Project) -> None:
    make_wheel(ready.wheels, "tinypack", "2.0")
    before = ready.log
    (ready.folder / "requirements.txt").write_text("tinypack==1.0   # with another comment\r\n")
    assert ready.start().told["tinypack"] == "1.0"
    assert ready.log == before
    ready.require("tinypack==2.0")
    assert ready.start().told["tinypack"] == "2.0"


def test_settings_that_lead_pip_elsewhere_are_not_followed(project: Project, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "tinypack-1.0.dist-info").mkdir()
    (other / "tinypack-1.0.dist-info" / "METADATA").write_text("Name: tinypack\nVersion: 1.0\n")
    started = project.start(PIP_TARGET=str(other), PIP_USER="1", PYTHONPATH=str(other), PIP_PREFIX=str(other))
    assert started.told["tinypack"] == "1.0"
    assert (project.site_packages() / "tinypack.py").exists()


def test_the_users_own_folder_of_wheels_is_respected(project: Project) -> None:
    started = project.start(wheels=False, PIP_FIND_LINKS=str(project.wheels), PIP_NO_INDEX="1")
    assert started.told["tinypack"] == "1.0"


def test_this_interpreter_serves_when_it_has_the_packages(project: Project) -> None:
    (project.folder / "studio" / "cli.py").write_text("import sys; print(sys.executable)")
    project.require(f"PyTest=={pytest.__version__}  # in other letters")
    command = [sys.executable, str(project.folder / "launch.py"), "--no-venv"]
    done = subprocess.run(command, env=project.variables(), capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable), done.stderr
    assert not project.venv.exists()


def test_an_interpreter_without_the_packages_is_told_which(project: Project) -> None:
    started = project.start("--no-venv", wheels=False)
    assert started.code == 2
    assert "tinypack==1.0" in started.sentence
    assert "requirements.txt" in started.sentence


def test_a_terminal_sees_one_line_that_is_gone_at_the_end(project: Project) -> None:
    leader, follower = pty.openpty()
    child = subprocess.Popen(
        project.command(), env=project.variables(COLUMNS="60"), stdout=subprocess.DEVNULL, stderr=follower
    )
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 4096)
        except OSError:  # Linux says so when the other end is closed
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert child.wait(60) == 0
    text = shown.decode()
    assert "\n" not in text
    lines = text.split("\r")
    assert any("Preparing the environment" in line for line in lines)
    assert lines[-1] == "" and lines[-2].strip() == ""
    assert max(map(len, lines)) < 60
