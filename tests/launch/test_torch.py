"""Which build of torch a machine gets, seen with real wheels that only bear the name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .conftest import Project, make_wheel

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(os.path.exists("/proc/driver/nvidia/version"), reason="this machine has an NVIDIA driver"),
]


@pytest.fixture
def torchy(ready: Project) -> Project:
    """A project that wants torch, and a folder that has two builds of it."""
    for version in ("1.0", "1.0+cpu"):
        make_wheel(ready.wheels, "torch", version)
    ready.require("tinypack==1.0", "torch==1.0")
    return ready


@pytest.fixture
def without_nvidia(tmp_path: Path) -> str:
    """A PATH on which no nvidia-smi is."""
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if not os.path.exists(os.path.join(folder, "nvidia-smi")))


@pytest.fixture
def with_nvidia(tmp_path: Path, without_nvidia: str) -> str:
    """A PATH with an nvidia-smi."""
    program = tmp_path / "driver" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\nexit 9\n")
    program.chmod(0o755)
    return str(program.parent) + os.pathsep + without_nvidia


def build(project: Project) -> str:
    return next(project.site_packages().glob("torch-*.dist-info")).name[len("torch-") : -len(".dist-info")]


def test_a_machine_without_nvidia_gets_the_cpu_build(torchy: Project, without_nvidia: str) -> None:
    assert torchy.start(PATH=without_nvidia).code == 0
    assert build(torchy) == "1.0+cpu"
    assert torchy.start(PATH=without_nvidia).err == ""


def test_a_machine_with_nvidia_gets_the_plain_build(torchy: Project, with_nvidia: str, without_nvidia: str) -> None:
    assert torchy.start(PATH=with_nvidia).code == 0
    assert build(torchy) == "1.0"
    assert torchy.start(PATH=without_nvidia).err == "", "CUDA's torch runs on a machine without, too"


def test_a_new_graphics_card_is_noticed(torchy: Project, with_nvidia: str, without_nvidia: str) -> None:
    assert torchy.start(PATH=without_nvidia).code == 0
    assert torchy.start(PATH=with_nvidia).code == 0
    assert build(torchy) == "1.0"
    assert torchy.start(PATH=with_nvidia).err == ""


def test_where_there_is_no_cpu_build_the_plain_one_serves(torchy: Project, without_nvidia: str) -> None:
    (torchy.wheels / "torch-1.0+cpu-py3-none-any.whl").unlink()
    assert torchy.start(PATH=without_nvidia).code == 0
    assert build(torchy) == "1.0"


def test_torch_comes_from_the_index_that_was_named(torchy: Project, tmp_path: Path, without_nvidia: str) -> None:
    wheel = make_wheel(tmp_path / "index" / "torch", "torch", "1.0+xpu")
    (wheel.parent / "index.html").write_text(f'<a href="{wheel.name}">{wheel.name}</a>')
    index = (tmp_path / "index").as_uri()
    assert torchy.start(PATH=without_nvidia).code == 0
    links = {"PATH": without_nvidia, "PIP_FIND_LINKS": str(torchy.wheels)}
    started = torchy.start("--torch-index", index, "runs", wheels=False, **links)
    assert started.told["words"] == ["runs"]
    assert build(torchy) == "1.0+xpu"
    assert torchy.start(wheels=False, STUDIO_TORCH_INDEX=index, **links).err == ""
    assert torchy.start(wheels=False, **links).err == "", "the choice stays without being repeated"
