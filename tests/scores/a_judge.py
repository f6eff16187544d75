"""A small server of the OpenAI protocol whose judge is what its name says, for tests of asking a judge."""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KEY = "a-key-for-tests"
ANSWERS = re.compile(r"<<<\n(.*?)\n>>>", re.DOTALL)


class AJudge:
    """Judges: `longer` (takes the longer answer), `first`, `prose`, `slow`, `limited`, `broken`, `refuses`, `rates`.

    `moody` is what the question names, else `longer`.
    """

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.seen: Counter[str] = Counter()
        outer = self

        class Handler(_Handler):
            judge = outer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    judge: AJudge

    def log_message(self, *_: Any) -> None:
        """Tests say what they have to say themselves."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.judge.bodies.append(body)
        self.judge.keys.append(self.headers.get("Authorization", ""))
        model, asked = body["model"], body["messages"][-1]["content"]
        if model == "moody":
            model = next((mood for mood in ("limited", "prose", "slow", "first") if mood in asked), "longer")
        self.judge.seen[asked] += 1
        if model == "limited" and self.judge.seen[asked] < 3:
            self._whole(429, {"error": {"message": "too many", "code": "rate_limit_exceeded"}})
        elif model == "refuses":
            self._whole(401, {"error": {"message": "wrong key", "code": "invalid_api_key"}})
        elif model == "broken":
            self.connection.shutdown(socket.SHUT_RDWR)
        else:
            if model == "slow":
                time.sleep(1.5)
            self._say(self._words(model, ANSWERS.findall(asked)))

    @staticmethod
    def _words(model: str, parts: list[str]) -> str:
        one, other = (parts[-2], parts[-1]) if len(parts) > 1 else ("", parts[-1])
        if model == "prose":
            return "Both have their merits, and I would not say that one is better."
        if model == "rates":
            return f"It is so long.\nScore: {min(10, len(other))}"
        if model == "first":
            return "Verdict: 1"
        better = "tie" if len(one) == len(other) else "1" if len(one) > len(other) else "2"
        return f"The longer one says more.\n**Verdict: {better}**"

    def _say(self, words: str) -> None:
        chunks = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in re.split(r"(?<= )", words)]
        usage = {"choices": [], "usage": {"prompt_tokens": 100, "completion_tokens": 10}}
        data = b"".join(b"data: " + json.dumps(one).encode() + b"\n\n" for one in [*chunks, usage])
        self._send(200, "text/event-stream", data + b"data: [DONE]\n\n")

    def _whole(self, status: int, value: Any) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, data: bytes) -> None:
        try:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            self.close_connection = True
