"""From the command to the first answer of the page: CPU-seconds, memory and payload beside LLaMA Board and bare Gradio.

`page_start.py [studio] [llamaboard] [bare] [--rounds N]`; LLAMAFACTORY_PYTHON names a Python with LLaMA-Factory.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path

import psutil
from measure import LLAMAFACTORY, PYTHON, Skipped, contest, environment

COMPONENTS = 190


def bare(port: int) -> None:
    """A Gradio page of as many inputs as LLaMA Board shows, with nothing behind them."""
    import gradio as gr

    kinds = [gr.Textbox, gr.Slider, gr.Dropdown, gr.Checkbox, gr.Number]
    with gr.Blocks(analytics_enabled=False) as page:
        for number in range(COMPONENTS):
            kinds[number % len(kinds)](label=f"field {number}")
    page.launch(server_name="127.0.0.1", server_port=port, quiet=True)


def measure(command: Sequence[object], port: int, scratch: str, **more: str) -> dict[str, float]:
    """Start a server, fetch its page and its config, and charge it for everything until then."""
    process = subprocess.Popen([str(part) for part in command], env=environment(**more), cwd=scratch,
                               stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               start_new_session=True)
    try:
        index = _fetch(f"http://127.0.0.1:{port}/", process)
        tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        seconds = sum(sum(part.cpu_times()[:2]) for part in tree)
        time.sleep(1)
        megabytes = sum(part.memory_info().rss for part in tree) / 1e6
        config = _fetch(f"http://127.0.0.1:{port}/config", process)
        return {"cpu": seconds, "megabytes": megabytes, "index_kb": len(index) / 1e3, "config_kb": len(config) / 1e3}
    finally:
        for part in psutil.Process(process.pid).children(recursive=True):
            part.kill()
        process.send_signal(signal.SIGKILL)
        process.wait()


def _fetch(url: str, process: subprocess.Popen[bytes], patience_seconds: float = 120) -> bytes:
    deadline = time.monotonic() + patience_seconds
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                return bytes(answer.read())
        except OSError:
            if process.poll() is not None:
                raise Skipped(f"ended with exit code {process.returncode}") from None
            time.sleep(0.05)
    raise Skipped(f"no answer within {patience_seconds:.0f} s")


def one(name: str) -> float:
    """CPU-seconds of one start; the other figures are printed beside."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with tempfile.TemporaryDirectory() as scratch:
        if name == "studio":
            command = [PYTHON, "-m", "studio.cli", "--port", port, "--root", scratch, "--no-browser"]
            figures = measure(command, port, scratch)
        elif name == "bare":
            figures = measure([PYTHON, __file__, "--bare", port], port, scratch)
        elif LLAMAFACTORY:
            figures = measure([Path(LLAMAFACTORY).parent / "llamafactory-cli", "webui"], port, scratch,
                              GRADIO_SERVER_PORT=str(port), GRADIO_SERVER_NAME="127.0.0.1")
        else:
            raise Skipped("LLAMAFACTORY_PYTHON is not set")
    print(name, json.dumps({key: round(value, 2) for key, value in figures.items()}), flush=True)
    return figures["cpu"]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--bare"]:
        bare(int(sys.argv[2]))
    else:
        os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
        contest("From the command to the first answer of the page", {name: (lambda name=name: one(name)) for name in
                ("studio", "llamaboard", "bare")}, "llamaboard", "CPU-s", sys.argv[1:])
