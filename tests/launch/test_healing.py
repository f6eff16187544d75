"""An environment that is broken, half made, or wanted by two starts at once."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from .conftest import Project, make_wheel

pytestmark = pytest.mark.slow


def without_python(project: Project) -> None:
    (project.venv / "bin" / "python").unlink()


def with_a_dangling_link(project: Project) -> None:
    for name in ("python", "python3"):
        (project.venv / "bin" / name).unlink()
        (project.venv / "bin" / name).symlink_to("/nowhere/bin/python3.11")


def made_for_another_python(project: Project) -> None:
    (project.venv / "lib").rename(project.venv / "old")
    (project.venv / "lib").mkdir()
    next((project.venv / "old").iterdir()).rename(project.venv / "lib" / "python3.99")


def without_its_settings(project: Project) -> None:
    (project.venv / "pyvenv.cfg").unlink()


def without_its_record(project: Project) -> None:
    (project.venv / "studio-ready").unlink()


def with_a_damaged_record(project: Project) -> None:
    (project.venv / "studio-ready").write_bytes(b"\xff\x00 nonsense\n\n")


def half_made(project: Project) -> None:
    (project.venv / "studio-installing").touch()
    shutil.rmtree(project.site_packages() / "pip")


def with_a_broken_pip(project: Project) -> None:
    (project.venv / "studio-ready").unlink()
    (project.site_packages() / "pip" / "__main__.py").write_text("raise ImportError")


def without_a_package(project: Project) -> None:
    (project.site_packages() / "tinypack.py").unlink()
    shutil.rmtree(project.site_packages() / "tinypack-1.0.dist-info")


def replaced_by_a_file(project: Project) -> None:
    shutil.rmtree(project.venv)
    project.venv.write_text("")


def replaced_by_a_link_to_nowhere(project: Project) -> None:
    shutil.rmtree(project.venv)
    project.venv.symlink_to("/nowhere/at/all")


DAMAGES = (
    without_python,
    with_a_dangling_link,
    made_for_another_python,
    without_its_settings,
    without_its_record,
    with_a_damaged_record,
    half_made,
    with_a_broken_pip,
    without_a_package,
    replaced_by_a_file,
    replaced_by_a_link_to_nowhere,
)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_broken_environment_heals_itself(ready: Project, damage: Callable[[Project], None]) -> None:
    damage(ready)
    assert ready.start().told["tinypack"] == "1.0"
    assert ready.start().err == "", "the second start found something to do"


def test_an_environment_on_another_disk_keeps_its_link(ready: Project, tmp_path: Path) -> None:
    elsewhere = tmp_path / "big disk"
    ready.venv.rename(elsewhere)
    ready.venv.symlink_to(elsewhere)
    (elsewhere / "bin" / "python").unlink()
    assert ready.start().told["tinypack"] == "1.0"
    assert ready.venv.is_symlink() and (elsewhere / "studio-ready").exists()


def bulky(project: Project) -> Project:
    """Give pip seconds of writing to do."""
    files = {f"bulky/m{number}.py": f"X = {number}\n" * 20 for number in range(2500)}
    make_wheel(project.wheels, "bulky", "1.0", files)
    project.require("bulky==1.0", "tinypack==1.0")
    return project


def begin(project: Project) -> subprocess.Popen[str]:
    """Start, and return in the middle of the writing."""
    child = subprocess.Popen(
        project.command(), env=project.variables(), start_new_session=True, text=True, stderr=subprocess.PIPE
    )
    deadline = time.monotonic() + 60
    while not (project.venv / "lib").exists() or not (project.site_packages() / "bulky").exists():
        assert child.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    return child


def descendants(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def all_gone(processes: list[psutil.Process]) -> bool:
    return not psutil.wait_procs(processes, timeout=15)[1]


def is_whole(project: Project) -> bool:
    return len(list((project.site_packages() / "bulky").glob("m*.py"))) == 2500


def test_a_start_killed_with_its_pip_is_made_good(ready: Project) -> None:
    child = begin(bulky(ready))
    os.killpg(child.pid, signal.SIGKILL)
    child.communicate()
    assert ready.start().told["tinypack"] == "1.0"
    assert is_whole(ready)


def test_a_killed_starts_orphaned_pip_is_waited_for(ready: Project) -> None:
    child = begin(bulky(ready))
    pip = descendants(child)
    child.kill()
    child.communicate()
    assert pip and all(process.is_running() for process in pip)
    assert ready.start().told["tinypack"] == "1.0"
    assert is_whole(ready) and all_gone(pip)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_an_interrupted_start_leaves_no_process_and_no_traceback(ready: Project, number: int, code: int) -> None:
    child = begin(bulky(ready))
    children = descendants(child)
    child.send_signal(number)
    _, told = child.communicate(timeout=30)
    assert child.returncode == code
    assert "Traceback" not in told
    assert children and all_gone(children)
    assert ("Interrupted" in told) == (number == signal.SIGINT)


def test_two_starts_at_once_prepare_once(project: Project) -> None:
    children = [
        subprocess.Popen(project.command(), env=project.variables(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in range(3)
    ]
    ends = [child.communicate(timeout=120) for child in children]
    assert [child.returncode for child in children] == [0, 0, 0], ends
    assert project.log.count("Successfully installed") == 1
