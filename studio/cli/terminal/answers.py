"""Answers from a server that speaks the OpenAI protocol, piece by piece, whichever server that is."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from studio.cli.terminal.dialogue import Answer


class Listener:
    """Fills an answer from the chunks of a stream and tells each piece (kind, text) once."""

    def __init__(self, into: Answer, on_piece: Callable[[str, str], None]) -> None:
        self.into = into
        self.on_piece = on_piece
        self.began = time.monotonic()
        self.calls: dict[int, dict[str, Any]] = {}

    def __call__(self, chunk: Mapping[str, Any]) -> None:
        """Take one chunk of the stream, in OpenAI's form."""
        into = self.into
        into.seconds = time.monotonic() - self.began
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            self._words("thinking", delta.get("reasoning_content") or delta.get("reasoning") or "")
            self._words("words", delta.get("content") or "")
            for call in delta.get("tool_calls") or ():
                self._call(call)
            into.reason = choice.get("finish_reason") or into.reason
        if isinstance(usage := chunk.get("usage"), Mapping):
            into.tokens = int(usage.get("completion_tokens") or 0)
        if isinstance(said := chunk.get("studio"), Mapping):
            into.proof = dict(said)

    def _words(self, kind: str, text: str) -> None:
        if not text:
            return
        if self.into.first_seconds is None:
            self.into.first_seconds = self.into.seconds
        if kind == "thinking":
            self.into.thinking += text
        else:
            self.into.text += text
        self.on_piece(kind, text)

    def _call(self, call: Mapping[str, Any]) -> None:
        """A tool call comes whole or in parts; parts of one have the same index."""
        place = int(call.get("index") or 0)
        if place not in self.calls:
            self.calls[place] = {"name": "", "arguments": ""}
            self.into.calls.append(self.calls[place])
        said = call.get("function") or {}
        self.calls[place]["name"] += said.get("name") or ""
        self.calls[place]["arguments"] += said.get("arguments") or ""


def body(lane: str, messages: Sequence[Mapping[str, str]], sampling: Mapping[str, Any], again: int) -> dict[str, Any]:
    """The request of an answer; with a seed, each new answer to the same question takes the next one."""
    asked = {("max_tokens" if name == "max_new_tokens" else "seed" if name == "answer_seed" else name): value
             for name, value in sampling.items() if value is not None}
    if asked.get("seed") is not None:
        asked["seed"] += again
    return {"model": lane, "messages": list(messages), "stream": True, "stream_options": {"include_usage": True},
            **asked}
