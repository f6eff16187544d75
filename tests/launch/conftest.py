"""A small project with the real launcher, a tiny package as its only requirement, and wheels made on the spot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BASE_PYTHON = getattr(sys, "_base_executable", None) or sys.executable
ECHO = """\
import json, os, sys
import tinypack
print(json.dumps({"words": sys.argv[1:], "cwd": os.getcwd(), "prefix": sys.prefix, "tinypack": tinypack.VERSION}))
"""


def make_wheel(folder: Path, name: str, version: str, files: dict[str, str] | None = None) -> Path:
    """Write a wheel that pip accepts; its module is `<name>.py` with a VERSION, unless files are given."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    contents = dict(files or {f"{name}.py": f"VERSION = {version!r}\n"})
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    contents[f"{info}/RECORD"] = "".join(f"{file},,\n" for file in [*contents, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in contents.items():
            archive.writestr(file, text)
    return path


@dataclass
class Project:
    """A copy of the launcher in a folder whose name has a space and Chinese in it."""

    folder: Path
    wheels: Path
    home: Path

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    @property
    def log(self) -> str:
        return (self.venv / "install.log").read_text("utf-8")

    def site_packages(self) -> Path:
        return next((self.venv / "lib").glob("python3.*/site-packages"))

    def require(self, *lines: str) -> None:
        (self.folder / "requirements.txt").write_text("# what is needed\n" + "".join(f"{line}\n" for line in lines))

    def variables(self, **more: str) -> dict[str, str]:
        """A clean environment in which no index answers."""
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "TMPDIR") if name in os.environ}
        none = {"PIP_CONFIG_FILE": os.devnull, "PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
        return {**kept, **none, "HOME": str(self.home), "LANG": "en_US.UTF-8", "PYTHONUTF8": "1", **more}

    def command(self, *words: str, wheels: bool = True) -> list[str]:
        offline = ["--wheels", str(self.wheels)] if wheels else []
        return [BASE_PYTHON, str(self.folder / "launch.py"), *offline, *words]

    def start(self, *words: str, wheels: bool = True, cwd: Path | None = None, **more: str) -> Started:
        done = subprocess.run(
            self.command(*words, wheels=wheels),
            cwd=cwd or self.home,
            env=self.variables(**more),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=240,
        )
        return Started(done.returncode, done.stdout, done.stderr)


@dataclass
class Started:
    code: int
    out: str
    err: str

    @property
    def told(self) -> dict[str, object]:
        """What the studio's stand-in printed; fails with the launcher's words when it did not run."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    @property
    def sentence(self) -> str:
        """The last line on stderr; a traceback is never right."""
        assert "Traceback" not in self.err, self.err
        return self.err.splitlines()[-1]


def make_project(place: Path) -> Project:
    project = Project(place / "my 工作室", place / "wheels", place / "home")
    (project.folder / "studio").mkdir(parents=True)
    (project.folder / "locales").mkdir()
    project.home.mkdir()
    shutil.copy(ROOT / "launch.py", project.folder)
    shutil.copy(ROOT / "locales" / "launch.json", project.folder / "locales")
    shutil.copytree(
        ROOT / "studio" / "prepare", project.folder / "studio" / "prepare", ignore=shutil.ignore_patterns("__pycache__")
    )
    (project.folder / "studio" / "__init__.py").write_text("")
    (project.folder / "studio" / "cli.py").write_text(ECHO)
    make_wheel(project.wheels, "tinypack", "1.0")
    project.require("tinypack==1.0")
    return project


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project as a fresh clone has it: no `.venv`."""
    return make_project(tmp_path)


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One project that was really started; take `ready` to change anything."""
    project = make_project(tmp_path_factory.mktemp("prepared"))
    assert project.start().told["tinypack"] == "1.0"
    return project


@pytest.fixture
def ready(prepared: Project, tmp_path: Path) -> Project:
    """A project that was started before."""
    place = tmp_path / "moved"
    shutil.copytree(prepared.folder.parent, place, symlinks=True)
    return Project(place / prepared.folder.name, place / "wheels", place / "home")
