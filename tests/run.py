"""Runs ruff, the type checker and all tests, with a browser for the journeys; `python launch.py test` comes here.

Words behind `test` are pytest's. When they choose tests (a path, `-k`, `-m`), only pytest runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from launch import ROOT, Words, tell
from studio.prepare.command import run_logged
from studio.prepare.environment import WINDOWS, Environment
from studio.prepare.progress import Progress, Say, Step

BROWSER = "STUDIO_TEST_BROWSER"
LINTED = ("studio", "tests", "launch.py", "data", "benchmarks")
TYPED = ("studio", "launch.py")
# Whole files go to as many workers as there are cores, so that a file's fixtures are made once.
TOGETHER = ["-n", str(min(4, os.cpu_count() or 1)), "--dist", "loadfile"]
STALLED_SECONDS = 90.0
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
USUAL_PLACES = (
    "/usr/lib/chromium/chromium",
    "/opt/google/chrome/chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)
SYSTEM_INSTALLERS = {  # of the first that the machine has, each command in turn
    "apt-get": (("update", "-q"), ("install", "-y", "-q", "--no-install-recommends", "chromium")),
    "dnf": (("install", "-y", "-q", "chromium"),),
    "zypper": (("--non-interactive", "install", "chromium"),),
    "pacman": (("-Sy", "--noconfirm", "chromium"),),
    "apk": (("add", "chromium"),),
}


def main(words: list[str]) -> int:
    """Return 0 when every part passed, else 1."""
    say = Words(words).say
    words = [os.path.abspath(word) if names_tests(word) else word for word in without_language(words)]
    browser = find_browser()
    if not browser and wants_browser(words):
        browser = BrowserInstallation(say).run()
        if not browser:
            tell(say("browser_missing", variable=BROWSER, log=Environment(ROOT).log))
    variables = {"OMP_NUM_THREADS": "1", **os.environ, **({BROWSER: browser} if browser else {})}
    failed = [] if browser or not wants_browser(words) else ["browser"]
    parts = list(parts_of(words))
    for name, command in parts:
        tell(say("test_part", part=name))
        if subprocess.call([sys.executable, "-m", *command], cwd=ROOT, env=variables):
            failed.append(name)
    if failed:
        tell(say("test_failed", parts=", ".join(failed)))
    else:
        tell(say("test_passed", parts=", ".join(name for name, _ in parts)))
    return 1 if failed else 0


def parts_of(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """What is run, in this order: a name and what follows `python -m`."""
    if not chosen(words):
        yield "ruff", ["ruff", "check", *(name for name in LINTED if os.path.exists(os.path.join(ROOT, name)))]
        yield "mypy", ["mypy", *TYPED]
    yield "pytest", ["pytest", *([] if chosen(words) else TOGETHER), *words]


def chosen(words: list[str]) -> bool:
    """Whether the words choose some of the tests."""
    return any(word in ("-k", "-m", "--lf") or names_tests(word) for word in words)


def names_tests(word: str) -> bool:
    return not word.startswith("-") and os.path.exists(word.partition("::")[0])


def wants_browser(words: list[str]) -> bool:
    """Whether the chosen tests may need a browser: all do, but for those in a folder of their own."""
    tests = os.path.join(ROOT, "tests")
    named = [os.path.relpath(word.partition("::")[0], tests) for word in words if names_tests(word)]
    return not named or any(place == "." or place.startswith(("browser", "..")) for place in named)


def without_language(words: list[str]) -> list[str]:
    """The words without `--lang xx`, which pytest does not know."""
    left = [word for word in words if not word.startswith("--lang=")]
    while "--lang" in left:
        place = left.index("--lang")
        del left[place : place + 2]
    return left


# A browser: named by the user, else found, else fetched.


def find_browser() -> str:
    """A browser of this machine that starts, or ""."""
    named = [os.environ.get(BROWSER, "")]
    on_path = [shutil.which(name) or "" for name in NAMES]
    return next((path for path in [*named, *on_path, *USUAL_PLACES, playwrights_own()] if answers(path)), "")


def answers(path: str) -> bool:
    """Whether the program can tell its version: a stub, or one that lacks libraries, cannot."""
    if not path or not os.access(path, os.X_OK):
        return False
    if WINDOWS:
        return True  # there it opens a window instead
    try:
        asked = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return asked.returncode == 0


def playwrights_own() -> str:
    """Where Playwright keeps its Chromium, whether or not it is there."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        return playwright.chromium.executable_path


class BrowserInstallation:
    """Fetching a browser, by whatever way this machine offers."""

    def __init__(self, say: Say) -> None:
        self.progress = Progress(say)
        self.log = Environment(ROOT).log

    def run(self) -> str:
        """The path of a browser that starts, or "" when there was no way."""
        os.makedirs(os.path.dirname(self.log), exist_ok=True)
        try:
            self.call([sys.executable, "-m", "playwright", "install", "chromium"], "browser_fetching")
            found = find_browser()
            if not found:
                self.ask_the_system()
                found = find_browser()
            return found
        finally:
            self.progress.end()

    def ask_the_system(self) -> None:
        """Install Chromium with the system's packages where that needs no password."""
        installer = next((name for name in SYSTEM_INSTALLERS if shutil.which(name)), "")
        may = [] if hasattr(os, "geteuid") and os.geteuid() == 0 else ["sudo", "-n"]
        if not installer or (may and not shutil.which("sudo")):
            return
        for words in SYSTEM_INSTALLERS[installer]:
            if self.call([*may, installer, *words], "browser_system"):
                return

    def call(self, command: list[str], doing: str) -> int:
        variables = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        return run_logged(
            command,
            self.log,
            lambda _output: self.progress.show(Step(doing)),
            variables=variables,
            silence_seconds=STALLED_SECONDS,
        )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
