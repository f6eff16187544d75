"""A real front as a process, and what the tests ask of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil

from studio.workspace import PROJECT

KEY, OTHER_KEY = "key-of-the-tests-1", "key-of-the-tests-2"
SUM = [{"role": "user", "content": "What is 12+30?"}]


class Front:
    """`python -m studio.engine serve` with a configuration, attached to this process."""

    def __init__(self, root: Path, folder: Path, keys: tuple[str, ...] = (KEY, OTHER_KEY), **config: Any) -> None:
        self.root, self.folder, self.keys = root, folder, keys
        self.config = {"root": str(root), "port": 0, "cpu_threads": 1, "attached": True, "max_lanes": 8, "queue": 24,
                       **config}
        self.errors = folder / "front.log"

    def start(self, seconds: float = 60.0, ready: bool = True, **environment: str) -> Front:
        """Begin, and wait until it listens and what is listed is loaded."""
        path = self.folder / "config.json"
        path.write_text(json.dumps(self.config), encoding="utf-8")
        variables = {**os.environ, "STUDIO_API_KEYS": "\n".join(self.keys), "OMP_NUM_THREADS": "1",
                     "PYTHONPATH": str(PROJECT), "STUDIO_ROOT": str(self.root), **environment}
        with open(self.errors, "ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "studio.engine", "serve", str(path)], cwd=PROJECT,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=variables)
        self.said = json.loads(self.line() or "{}")
        self.url = self.said.get("listening", {}).get("url", "")
        headers = {"Authorization": f"Bearer {self.keys[0]}"} if self.keys else {}
        self.client = httpx.Client(base_url=self.url, headers=headers, timeout=seconds)
        if ready and self.url:
            wait(lambda: self.client.get("/health").status_code == 200, seconds)
        return self

    def line(self) -> str:
        """The next line that it says on stdout."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().decode()

    def end(self) -> int:
        """Let go of it: it ends with our end of its stdin."""
        self.client.close()
        if self.process.poll() is None and self.process.stdin:
            self.process.stdin.close()
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def workers(self) -> list[psutil.Process]:
        """The processes that hold models."""
        return [one for one in psutil.Process(self.process.pid).children(recursive=True) if is_host(one)]

    def bytes(self) -> int:
        """What it and all its processes have in memory."""
        return sum(one.memory_info().rss for one in (psutil.Process(self.process.pid), *self.workers()))

    # ---- asking ----

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.client.post(path, json=body)

    def ask(self, model: str = "starter", status: int = 200, **more: Any) -> dict[str, Any]:
        """A chat completion, by default greedy and short; who is told to come back while a model is loaded does."""
        body = {"model": model, "messages": SUM, "temperature": 0, "max_tokens": 16, **more}
        end = time.monotonic() + 60
        while True:
            reply = self.client.post("/v1/chat/completions", json=body)
            if reply.status_code != 503 or status == 503 or time.monotonic() > end:
                break
            time.sleep(min(2, int(reply.headers["retry-after"])))
        assert reply.status_code == status, reply.text
        found: dict[str, Any] = reply.json()
        return found

    def words(self, model: str = "starter", **more: Any) -> str:
        """What a chat completion says."""
        return str(self.ask(model, **more)["choices"][0]["message"]["content"])

    @contextmanager
    def stream(self, **body: Any) -> Iterator[Iterator[dict[str, Any]]]:
        """The events of a streamed chat completion."""
        asked = {"model": "starter", "messages": SUM, "stream": True, "max_tokens": 16, **body}
        with self.client.stream("POST", "/v1/chat/completions", json=asked) as reply:
            assert reply.status_code == 200, reply.read()
            yield events(reply)

    def metric(self, name: str) -> float:
        """The sum of a metric over its labels."""
        lines = self.client.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0].split(" ")[0] == name)


def is_host(process: psutil.Process) -> bool:
    """Whether a process holds a model, and still runs."""
    try:
        return "host" in process.cmdline()
    except psutil.Error:
        return False


def events(reply: httpx.Response) -> Iterator[dict[str, Any]]:
    """Server-sent events up to [DONE]; fails when that never comes."""
    for line in reply.iter_lines():
        if line == "data: [DONE]":
            return
        if line:
            assert line.startswith("data: "), line
            yield json.loads(line[6:])
    raise AssertionError("the stream ended without [DONE]")


def wait(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    """Until it is so; fails the test when it takes longer."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.05)
