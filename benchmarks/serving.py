"""Servers under measurement: started and ended with their whole tree, asked over HTTP, charged by CPU and memory."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from measure import HOME, LLAMAFACTORY, PROJECT, PYTHON, Skipped, environment

KEY = "bench"


@dataclass(frozen=True)
class Reply:
    """What came back: words, tokens said, tokens of the prompt that were kept from before, wall seconds."""

    text: str
    tokens: int
    reused: int
    seconds: float


@dataclass(frozen=True)
class Server:
    """A server's process and where it listens."""

    process: subprocess.Popen[bytes]
    port: int

    def tree(self) -> list[psutil.Process]:
        with suppress(psutil.Error):
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        return []

    def cpu_seconds(self) -> float:
        """User and system time of the live tree so far."""
        total = 0.0
        for one in self.tree():
            with suppress(psutil.Error):
                total += sum(one.cpu_times()[:2])
        return total

    def cpu_parts(self) -> tuple[float, float]:
        """CPU-seconds of the process itself, and of everything that it started."""
        top, *below = [sum(one.cpu_times()[:2]) for one in self.tree()]
        return top, sum(below)

    def megabytes(self) -> float:
        """Proportional memory of the tree: shared pages counted once."""
        total = 0
        for one in self.tree():
            with suppress(OSError):
                rollup = Path(f"/proc/{one.pid}/smaps_rollup").read_text()
                total += int(next(line for line in rollup.splitlines() if line.startswith("Pss:")).split()[1])
        return total * 1024 / 1e6

    def ask(self, model: str, messages: Sequence[Mapping[str, str]], tokens: int, **more: Any) -> Reply:
        """One greedy answer; raises Skipped with what the server says."""
        body = {"model": model, "messages": list(messages), "max_tokens": tokens, "temperature": 0, **more}
        start = time.perf_counter()
        try:
            said = self.fetch("/v1/chat/completions", body)
        except urllib.error.HTTPError as error:
            raise Skipped(f"{model}: HTTP {error.code} {error.read()[:200]!r}") from None
        usage = said["usage"]
        reused = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        return Reply(said["choices"][0]["message"]["content"] or "", usage["completion_tokens"], reused,
                     time.perf_counter() - start)

    def fetch(self, path: str, body: Any = None, seconds: float = 600) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return json.load(answer)

    def models(self, patience_seconds: float = 180) -> list[str]:
        """What it serves, once it serves; raises Skipped when it ends before."""
        deadline = time.monotonic() + patience_seconds
        while time.monotonic() < deadline:
            with suppress(OSError, ValueError):
                return [str(one["id"]) for one in self.fetch("/v1/models", seconds=5)["data"]]
            if self.process.poll() is not None:
                raise Skipped(f"ended with exit code {self.process.returncode}; its log is in {HOME / 'logs'}")
            time.sleep(0.1)
        raise Skipped(f"no answer within {patience_seconds:.0f} s")


@contextmanager
def studio(root: Path, *words: object) -> Iterator[Server]:
    """`serve` with these words below a root of its own."""
    port = free_port()
    command = [PYTHON, "-m", "studio.cli", "serve", *words, "--port", port, "--root", root]
    with _running("studio", command, environment(STUDIO_API_KEYS=KEY, PYTHONPATH=str(PROJECT)), port) as server:
        server.models()
        yield server


@contextmanager
def llamafactory(model: Path, adapter: Path, number: int) -> Iterator[Server]:
    """LLaMA-Factory's server of one adapter."""
    if not LLAMAFACTORY:
        raise Skipped("LLAMAFACTORY_PYTHON is not set")
    port = free_port()
    command = [Path(LLAMAFACTORY).parent / "llamafactory-cli", "api", "--model_name_or_path", model,
               "--adapter_name_or_path", adapter, "--template", "chatml", "--infer_backend", "huggingface"]
    with _running(f"llamafactory{number}", command,
                  environment(API_PORT=str(port), API_HOST="127.0.0.1", API_KEY=KEY), port) as server:
        yield server


@contextmanager
def _running(name: str, command: Sequence[object], env: Mapping[str, str], port: int) -> Iterator[Server]:
    (HOME / "logs").mkdir(parents=True, exist_ok=True)
    with open(HOME / "logs" / f"chat-{name}.log", "wb") as log:
        process = subprocess.Popen([str(part) for part in command], env=dict(env), cwd=HOME, stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
    server = Server(process, port)
    try:
        yield server
    finally:
        doomed = server.tree()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for one in doomed:
                with suppress(psutil.Error):
                    one.send_signal(number)
            psutil.wait_procs(doomed, 5)
        process.wait()


@contextmanager
def browsed(root: Path, path: str) -> Iterator[tuple[Server, Any]]:
    """The studio's page and a browser's tab that is open on it."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("STUDIO_TEST_BROWSER") or shutil.which("chromium")
    port = free_port()
    command = [PYTHON, "-m", "studio.cli", "--port", port, "--root", root, "--no-browser"]
    with _running("page", command, environment(PYTHONPATH=str(PROJECT)), port) as server, sync_playwright() as program:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            with suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20).close()
                break
            time.sleep(0.1)
        window = program.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = window.new_page(locale="en-US")
        tab.set_default_timeout(300_000)
        tab.goto(f"http://127.0.0.1:{port}/{path}")
        tab.wait_for_selector("#chat .lane-head >> nth=0")
        yield server, tab
        window.close()


def ask_in(tab: Any, text: str) -> int:
    """Ask all lanes in the Chat tab and wait until they have answered; how many answers there are to it."""
    turns = tab.locator("#chat .turn-of").count()
    tab.fill("#chat .composer textarea[name=text]", text)
    tab.press("#chat .composer textarea[name=text]", "Enter")
    tab.wait_for_function(f"() => document.querySelectorAll('#chat .turn-of').length > {turns}")
    tab.wait_for_function("() => document.querySelector('#chat .answer') && "
                          "!document.querySelector('#chat .is-answering')")
    return int(tab.locator("#chat .turn-of.last .cell").count())


def at_once(jobs: Sequence[Any]) -> list[Any]:
    """The results of all jobs, each in a thread of its own, begun together."""
    found: list[Any] = [None] * len(jobs)

    def do(place: int) -> None:
        try:
            found[place] = jobs[place]()
        except BaseException as error:
            found[place] = error

    threads = [threading.Thread(target=do, args=(place,)) for place in range(len(jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one in found:
        if isinstance(one, BaseException):
            raise one
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def user(text: str) -> list[dict[str, str]]:
    """A conversation of one question."""
    return [{"role": "user", "content": text}]


def cores() -> str:
    """What a table's reader must know of the machine."""
    return f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
