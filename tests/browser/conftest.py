"""A real studio process, a real Chromium, and one short finished run for all journeys."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api")

PROJECT = Path(__file__).resolve().parents[2]
EXECUTABLE = os.environ.get("STUDIO_TEST_BROWSER") or "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
SHORT = "max_steps: 24\nlogging_steps: 2\neval_steps: 8\nval_size: 16\nmax_samples: 200\ncpu_threads: 1\n"
PATIENCE = 60_000


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in here needs a browser and takes its time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.slow)


class Studio:
    """A studio on its own root and port, to be killed and started again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Start and wait for the first answer."""
        command = [
            sys.executable,
            "-m",
            "studio.cli",
            "--port",
            str(self.port),
            "--no-browser",
            "--root",
            str(self.root),
        ]
        with open(self.root / "studio.log", "ab") as log:
            self.process = subprocess.Popen(
                command, cwd=PROJECT, stdout=log, stderr=log, env={**os.environ, "OMP_NUM_THREADS": "1"}
            )
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{self.address}gradio_api/app_id", timeout=2).read()
                return
            except (urllib.error.URLError, OSError):
                assert self.process.poll() is None, (self.root / "studio.log").read_text()
                time.sleep(0.2)
        raise AssertionError((self.root / "studio.log").read_text())

    def end(self, how: int = signal.SIGTERM) -> None:
        """End the process and wait until it is gone."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(how)
            self.process.wait(20)


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """The one studio of the session."""
    found = Studio(tmp_path_factory.mktemp("studio"))
    found.start()
    yield found
    found.end()
    log = (found.root / "studio.log").read_text()
    assert "Traceback" not in log, log[-4000:]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser: the named one, else Playwright's own."""
    with sync_api.sync_playwright() as playwright:
        named = {"executable_path": EXECUTABLE} if Path(EXECUTABLE).exists() else {}
        browser = playwright.chromium.launch(args=ARGUMENTS, **named)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, studio: Studio) -> Iterator[Any]:
    """`visit("zh-CN", path="?tab=runs", width=390)` opens a page of its own; no request may leave this machine."""
    contexts: list[Any] = []
    hosts: set[str] = set()
    errors: list[str] = []

    def open_page(
        locale: str = "en-US", path: str = "", width: int = 1440, height: int = 1000, context: Any = None, **more: Any
    ) -> Any:
        if context is None:
            context = chromium.new_context(locale=locale, viewport={"width": width, "height": height}, **more)
            contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: hosts.add(urlsplit(request.url).hostname or ""))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.set_default_timeout(PATIENCE)
        page.goto(studio.address + path)
        page.wait_for_selector("#card .forecast, #runs-table", state="attached")
        page.wait_for_function("window.studio && studio.go && window.Plotly")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert hosts - {"127.0.0.1", ""} == set()
    assert errors == []


@pytest.fixture(scope="session")
def finished(studio: Studio) -> str:
    """The name of a short finished run with a LoRA adapter."""
    return trained(studio, "short-run")


def trained(studio: Studio, name: str) -> str:
    """Train a short run by the command line, to its end."""
    recipe = studio.root / "short.yaml"
    recipe.write_text(SHORT, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "studio.cli", "train", str(recipe), f"output_dir={name}", "--root", str(studio.root)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=240,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return name


def state(page: Any, place: str = "live") -> str:
    """The state that a panel shows."""
    return str(page.evaluate(f"document.querySelector('#{place}-head .status')?.dataset.state || ''"))


def step(page: Any) -> int:
    """The step that the live panel shows."""
    return int(page.evaluate("+document.querySelector('#live-head .status')?.dataset.step || 0"))


def points(page: Any, figure: str = "live-loss") -> int:
    """How many points the curve has."""
    return int(page.evaluate(f"+document.querySelector('#figure-{figure} .drawing')?.dataset.points || 0"))


def wait_for_state(page: Any, *wanted: str, place: str = "live", patience: int = 120_000) -> None:
    """Wait until the panel shows one of the states."""
    shows = "([id, wanted]) => wanted.includes(document.querySelector(`#${id}-head .status`)?.dataset.state)"
    page.wait_for_function(shows, arg=[place, list(wanted)], timeout=patience)


def wait_for_points(page: Any, more_than: int) -> None:
    """Wait until the loss curve has grown."""
    page.wait_for_function(
        "least => +(document.querySelector('#figure-live-loss .drawing')?.dataset.points || 0) > least", arg=more_than
    )
