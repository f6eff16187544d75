"""`python launch.py test`: what it runs, and where its browser comes from."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests import run

from .conftest import ROOT

WHOLE = ["ruff", "mypy", "pytest"]


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ([], WHOLE),
        (["-x", "--durations=5"], WHOLE),
        (["-k", "flags"], ["pytest"]),
        ([str(ROOT / "tests" / "launch")], ["pytest"]),
        ([str(ROOT / "tests" / "launch" / "test_run.py") + "::test_x"], ["pytest"]),
    ],
)
def test_chosen_tests_run_alone_and_all_of_them_with_the_linters(words: list[str], parts: list[str]) -> None:
    assert [name for name, _ in run.parts_of(words)] == parts


@pytest.mark.parametrize(
    ("words", "wanted"),
    [([], True), (["-x"], True), (["tests"], True), (["tests/browser"], True), (["tests/launch/a.py::x"], False)],
)
def test_a_browser_is_fetched_only_for_tests_that_may_need_one(
    monkeypatch: pytest.MonkeyPatch, words: list[str], wanted: bool
) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(os.path, "exists", lambda path: path.startswith("tests"))
    assert run.wants_browser(words) is wanted


def test_the_language_is_not_given_to_pytest() -> None:
    assert run.without_language(["--lang", "zh", "-x", "--lang=en"]) == ["-x"]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine without any browser; returns a folder on its PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.delenv(run.BROWSER, raising=False)
    monkeypatch.setattr(run, "NAMES", ("our-chromium",))
    monkeypatch.setattr(run, "USUAL_PLACES", ())
    monkeypatch.setattr(run, "playwrights_own", lambda: str(tmp_path / "fetched"))
    return programs


def program(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_browser_that_does_not_start_is_not_taken(bare: Path) -> None:
    program(bare / "our-chromium", "echo 'a stub that asks for another package' >&2; exit 1")
    assert run.find_browser() == ""


def test_a_named_browser_comes_first(bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program(bare / "our-chromium", "echo 1")
    mine = program(tmp_path / "mine", "echo 2")
    assert run.find_browser() == str(bare / "our-chromium")
    monkeypatch.setenv(run.BROWSER, str(mine))
    assert run.find_browser() == str(mine)


def say(key: str, **_values: object) -> str:
    return key


@pytest.mark.skipif(os.name == "nt", reason="uses programs of the shell")
def test_the_systems_packages_are_the_last_way(bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    calls = tmp_path / "calls"
    made = f"printf '#!/bin/sh\\necho 1\\n' > '{bare}/our-chromium'; chmod +x '{bare}/our-chromium'"
    program(bare / "apt-get", f'echo "$1" >> "{calls}"; if [ "$1" = install ]; then {made}; fi')
    program(bare / "sudo", 'shift; exec "$@"')
    installation = run.BrowserInstallation(say)
    installation.log = str(log)
    monkeypatch.setattr(run.sys, "executable", "/bin/false")  # Playwright cannot fetch its own
    assert installation.run() == str(bare / "our-chromium")
    assert calls.read_text().split() == ["update", "install"]


def test_a_machine_that_offers_no_way_gets_no_browser(
    bare: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    installation = run.BrowserInstallation(say)
    installation.log = str(tmp_path / "install.log")
    monkeypatch.setattr(run.sys, "executable", "/bin/false")
    monkeypatch.setattr(run, "SYSTEM_INSTALLERS", {})
    assert installation.run() == ""
