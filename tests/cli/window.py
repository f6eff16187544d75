"""A terminal window with a program in it, and a server that speaks the OpenAI protocol word by word."""

from __future__ import annotations

import codecs
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pyte

LINES = 24
KEYS = {"up": "\x1b[A", "down": "\x1b[B", "left": "\x1b[D", "right": "\x1b[C", "enter": "\r", "backspace": "\x7f",
        "ctrl-c": "\x03", "ctrl-d": "\x04", "alt-enter": "\x1b\r", "tab": "\t", "home": "\x01"}


class Window:
    """A program in a terminal of 80 columns, as a person sees it: lines on a screen, a cursor, what scrolled away."""

    def __init__(self, command: Sequence[str], environment: dict[str, str], folder: str | os.PathLike[str]) -> None:
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, 80, 0, 0))
        env = {**environment, "TERM": "xterm-256color"}
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=env, cwd=folder,
                                        start_new_session=True, preexec_fn=_take_terminal)
        os.close(slave)
        self.raw = ""
        self._prompts = 0
        self.screen = pyte.HistoryScreen(80, LINES, history=5000, ratio=0.5)
        self.screen.write_process_input = lambda answer: os.write(self.master, answer.encode())
        self._stream = pyte.Stream(self.screen)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def text(self) -> str:
        """Every line, those that scrolled away too."""
        above = ["".join(line[column].data for column in range(80)) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in [*above, *self.screen.display]).rstrip()

    def wait_for(self, words: str, seconds: float = 60.0) -> str:
        """Until the words stand on the screen; everything on it."""
        return self._wait(lambda: words in self.text, words, seconds)

    def wait_for_prompt(self, seconds: float = 60.0) -> str:
        """Until a line can be typed below those of before."""
        before = self._prompts

        def is_new() -> bool:
            self._prompts = sum(line.startswith("you>") for line in self.text.splitlines())
            return self._prompts > before and self.line == "you>" and self.screen.cursor.x == 5

        return self._wait(is_new, "you>", seconds)

    @property
    def line(self) -> str:
        """The line with the cursor in it."""
        return self.screen.display[self.screen.cursor.y].rstrip()

    def _wait(self, is_so: Callable[[], bool], words: str, seconds: float) -> str:
        end = time.monotonic() + seconds
        while not is_so():
            assert time.monotonic() < end, f"{words!r} did not come; shown:\n{self.text}"
            assert self._read(0.2) or self.process.poll() is None, f"it ended; shown:\n{self.text}"
        return self.text

    def type(self, text: str) -> None:
        """Type letters; `{up}` and the like are keys."""
        parts = re.split(r"\{([\w-]+)\}", text)
        for place, part in enumerate(parts):
            os.write(self.master, (KEYS[part] if place % 2 else part).encode())

    def end(self, seconds: float = 30.0) -> int:
        """The exit code, once the program has ended by itself."""
        limit = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < limit, f"it did not end; shown:\n{self.text}"
            self._read(0.1)
        while self._read(0.05):
            continue
        return int(self.process.returncode)

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        os.close(self.master)

    def _read(self, seconds: float) -> bool:
        if not select.select([self.master], [], [], seconds)[0]:
            return False
        try:
            part = os.read(self.master, 65536)
        except OSError:  # the other side is closed
            return False
        text = self._decoder.decode(part)
        self.raw += text
        self._stream.feed(text)
        return bool(part)


def _take_terminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Server:
    """Answers each question with `word 0 word 1 …` until the client leaves, or at once when it says so."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.left = threading.Event()
        self.words = 400
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.keys.append(self.headers.get("Authorization") or "")
                self._whole({"object": "list", "data": [{"id": "first"}, {"id": "second"}]})

            def do_POST(self) -> None:
                said = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(said)
                outer.keys.append(self.headers.get("Authorization") or "")
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream")
                self.end_headers()
                try:
                    self._stream(said["messages"][-1]["content"])
                except OSError:
                    outer.left.set()

            def _stream(self, question: str) -> None:
                words = [f"{said} " for said in question.split()] if outer.words == 0 else \
                    [f"word {number} " for number in range(outer.words)]
                for word in words:
                    self._event({"choices": [{"index": 0, "delta": {"content": word}}]})
                    time.sleep(0.02)
                self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
                self._event({"choices": [], "usage": {"completion_tokens": len(words)}})
                self.wfile.write(b"data: [DONE]\n\n")

            def _event(self, value: dict[str, Any]) -> None:
                self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
                self.wfile.flush()

            def _whole(self, value: dict[str, Any]) -> None:
                body = json.dumps(value).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                return

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}/v1"


@contextmanager
def serving() -> Iterator[Server]:
    """A server as long as it is entered."""
    server = Server()
    threading.Thread(target=server.http.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.http.shutdown()
        server.http.server_close()
