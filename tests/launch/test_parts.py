"""Optional parts: a fresh environment gets one from a folder of wheels, and hears why when it cannot."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from studio.prepare import parts
from studio.prepare.environment import Environment
from studio.prepare.options import REQUIREMENTS
from studio.texts import LANGUAGES, has

ROOT = Path(__file__).resolve().parents[2]
INSTALL = """
import json, sys
sys.path.insert(0, sys.argv[1])
from studio.prepare import parts
from studio.prepare.refusal import Refusal
parts.PARTS = (parts.Part("toy", ("studio-toy==1.0",), ("studio_toy",), 1),)
said = []
try:
    before = parts.is_installed("toy")
    parts.install("toy", lambda step: said.append(step.key), sys.argv[2])
    print(json.dumps([before, parts.is_installed("toy"), parts.versions("toy"), sorted(set(said))]))
except Refusal as refusal:
    print(json.dumps([refusal.key, refusal.values]))
"""


def a_wheel(folder: Path) -> None:
    """The smallest package that pip takes."""
    files = {"studio_toy.py": "", "studio_toy-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: studio-toy\n"
             "Version: 1.0\n", "studio_toy-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: toy\n"
             "Root-Is-Purelib: true\nTag: py3-none-any\n"}
    record = [f"{name},sha256={base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip('=')},"
              f"{len(text)}" for name, text in files.items()]
    files["studio_toy-1.0.dist-info/RECORD"] = "\n".join([*record, "studio_toy-1.0.dist-info/RECORD,,", ""])
    with zipfile.ZipFile(folder / "studio_toy-1.0-py3-none-any.whl", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)


def test_a_part_is_installed_from_a_folder_of_wheels_and_a_missing_one_is_told(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python, wheels = tmp_path / "env" / "bin" / "python", tmp_path / "wheels"
    wheels.mkdir()

    def installed() -> list[object]:
        done = subprocess.run([str(python), "-c", INSTALL, str(ROOT), str(wheels)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        found: list[object] = json.loads(done.stdout)
        return found

    assert installed()[0] == "wheels_lack"
    a_wheel(wheels)
    before, after, versions, said = installed()
    assert (before, after, versions) == (False, True, {"studio-toy": "1.0"})
    assert isinstance(said, list) and "asking" in said


@pytest.mark.parametrize("part", parts.PARTS, ids=lambda part: part.name)
def test_a_part_is_pinned_has_words_and_changes_nothing_that_is_pinned(part: parts.Part) -> None:
    ours = Environment(str(ROOT)).pins([REQUIREMENTS])
    for pin in part.pins:
        name, exact, version = pin.partition("==")
        assert exact and version
        assert ours.get(name.lower().replace("-", "_"), version) == version
    for lang in LANGUAGES:
        assert has(lang, f"parts.{part.name}.label") and has(lang, f"parts.{part.name}.help")


def test_every_way_to_fail_has_its_sentence() -> None:
    for key in ("disk_full", "no_permission", "no_network", "wheels_lack", "package_not_found", "build_failed",
                "no_pip", "installation_failed"):
        assert all(has(lang, f"errors.part_{key}") for lang in LANGUAGES)
    for step in ("asking", "resolving", "downloading", "building", "installing", "waiting"):
        assert all(has(lang, f"parts.steps.{step}") for lang in LANGUAGES)
