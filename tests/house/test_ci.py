"""The files that a fresh machine and CI begin with."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import studio
from studio.prepare.environment import Environment, normal
from studio.prepare.options import REQUIREMENTS, TEST_REQUIREMENTS

ROOT = Path(__file__).resolve().parents[2]
BOTH = [REQUIREMENTS, TEST_REQUIREMENTS]
PINS = Environment(str(ROOT)).pins(BOTH)


def git(*words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)
    if done.returncode > 1:
        pytest.skip("not a clone")
    return done


def test_ci_calls_what_a_person_would_call() -> None:
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    assert 'launch.py test "$@"' in script.read_text("utf-8")


def test_every_requirement_is_an_exact_pin_and_stands_once() -> None:
    lines = [line for name in BOTH for line in Environment(str(ROOT)).lines(name)]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", line) for line in lines)
    assert len(lines) == len(PINS)


def test_what_the_pins_bring_along_is_pinned_too() -> None:
    loose: set[str] = set()
    for name in PINS:
        try:
            needed = [Requirement(line) for line in requires(name) or []]
        except PackageNotFoundError:
            continue  # the next test tells that
        here = [one.name for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
        foreign = ("nvidia", "cuda", "triton")  # CUDA's torch brings its own, which differ from build to build
        loose |= {one for one in here if normal(one) not in PINS and not normal(one).startswith(foreign)}
    assert not loose


def test_the_tests_run_on_the_pinned_versions() -> None:
    installed = {name: version(name).partition("+")[0] for name in PINS}
    assert installed == PINS


def test_git_keeps_the_starter_model_and_ignores_the_users_own() -> None:
    kept = ["data/starter/model.safetensors", "saves/.gitkeep", "data/arithmetic.json"]
    own = [".venv/bin/python", ".venv.lock", "saves/a-run/spec.yaml", "models/llama/model.safetensors"]
    ignored = git("check-ignore", "--no-index", *kept, *own).stdout.split()
    assert ignored == own


def test_the_version_is_the_same_everywhere() -> None:
    with open(ROOT / "pyproject.toml", "rb") as file:
        assert tomllib.load(file)["project"]["version"] == studio.__version__
