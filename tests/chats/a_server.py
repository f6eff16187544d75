"""A small server of the OpenAI protocol that answers as the model's name asks, for tests of the client's side."""

from __future__ import annotations

import json
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

PONDERS_SECONDS = 12
KEY = "a-key-for-tests"


class AServer:
    """Answers by the model's name: `echo…`, `slow…`, `broken…`, `thinks`, `calls`, `refuses`, `loads`, `plain`."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.gone = threading.Event()
        self.loading = 2
        self.pause = 0.01  # seconds between two words of `slow…`
        self.texts = {99: "else"}
        outer = self

        class Handler(_Handler):
            server_of = outer

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def asked(self, model: str) -> list[dict[str, Any]]:
        """The bodies of the requests to a model."""
        return [body for body in self.bodies if body["model"] == model]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_of: AServer

    def log_message(self, *_: Any) -> None:
        """Tests say what they have to say themselves."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self._whole(401, {"error": {"message": "wrong key", "type": "authentication_error", "code": "no"}})
        elif self.path == "/v1/models":
            self._whole(200, {"object": "list", "data": [{"id": "echo", "object": "model"}]})
        else:
            self._whole(200, {"ok": True})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            self._whole(401, {"error": {"message": "wrong key", "type": "authentication_error", "code": "no"}})
            return
        if "model" in body:
            self.server_of.bodies.append(body)
        if "messages" not in body:
            self._whole(200, {"loaded": body})
            return
        try:
            self._answer(body)
        except OSError:
            self.server_of.gone.set()

    def _answer(self, body: dict[str, Any]) -> None:
        model, seed = body["model"], body.get("seed")
        if model == "refuses":
            self._whole(400, {"error": {"message": "no such luck", "code": "context_length_exceeded"}})
        elif model == "plain" and "logprobs" in body:
            self._whole(400, {"error": {"message": "logprobs is not supported", "param": "logprobs"}})
        elif model == "ponders":
            time.sleep(PONDERS_SECONDS)
            self._stream(body, model, seed)
        elif model == "loads" and self.server_of.loading:
            self.server_of.loading -= 1
            self._whole(503, {"error": {"message": "loading", "code": "model_loading"}}, {"Retry-After": "0.05"})
        else:
            self._stream(body, model, seed)

    def _stream(self, body: dict[str, Any], model: str, seed: Any) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        last = body["messages"][-1]["content"]
        kept = body.get("prefix_ids")
        for id in kept or ():  # what an answer was asked to begin with is said again, its chances unknown
            text = self.server_of.texts[id]
            logprobs = {"content": [{"token": text, "id": id, "logprob": None, "top_logprobs": []}]}
            self._event({"choices": [{"index": 0, "delta": {"content": text}, "logprobs": logprobs}]})
        said = "on." if kept else f"{model} heard {last}" + (f" {seed}" if seed < 1000 else "")
        words = [f"word{n} " for n in range(2000)] if model.startswith("slow") else said.split(" ")
        self._event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        if model == "thinks":
            self._event({"choices": [{"index": 0, "delta": {"reasoning_content": "hm, "}}]})
            self._event({"choices": [{"index": 0, "delta": {"reasoning_content": "yes."}}]})
        if model == "calls" and body["messages"][-1]["role"] != "tool":
            self._call()
            words = []
        for place, word in enumerate(words):
            text = word if place == 0 or model.startswith("slow") else f" {word}"
            self.server_of.texts[len(text)] = text
            self._event({"choices": [{"index": 0, "delta": {"content": text}, "logprobs": self._logprobs(body, text)}]})
            if model.startswith("broken") and place == 1:
                self.connection.shutdown(socket.SHUT_RDWR)
                raise OSError
            if model.startswith("slow"):
                time.sleep(self.server_of.pause)
        self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self._event({"choices": [], "usage": {"completion_tokens": len(words), "prompt_tokens": 7},
                     "studio": {"lane": model, "base_hash": "9f2c", "tokens": len(words), "seconds": 0.5, "step": 3}})
        self._send(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _call(self) -> None:
        for part in ({"index": 0, "id": "call_1", "function": {"name": "weather", "arguments": ""}},
                     {"index": 0, "function": {"arguments": '{"city": '}},
                     {"index": 0, "function": {"arguments": '"Berlin"}'}}):
            self._event({"choices": [{"index": 0, "delta": {"tool_calls": [part]}}]})

    @staticmethod
    def _logprobs(body: dict[str, Any], text: str) -> Any:
        if not body.get("logprobs"):
            return None
        others = [{"token": text, "id": len(text), "logprob": -0.1}, {"token": "else", "id": 99, "logprob": -2.5}]
        return {"content": [{"token": text, "id": len(text), "logprob": -0.1, "top_logprobs": others}]}

    def _event(self, value: dict[str, Any]) -> None:
        self._send(b"data: " + json.dumps(value).encode() + b"\n\n")

    def _send(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def _whole(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, said in (headers or {}).items():
            self.send_header(name, said)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
