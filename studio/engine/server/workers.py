"""Worker: the process that holds one base model, and what is said to it and heard from it in lines of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from studio.errors import StudioError, WorkError

_LONGEST_LINE = 1 << 28
_LOOK_SECONDS = 2.0
_LEAVE_SECONDS = 5.0
Event = list[Any] | dict[str, Any]


class Answer:
    """What a worker says about one request: events in their order, taken as they come.

    A list is a token `[id, choice, token id, text, logprob, tops]`; a dict has one key: `prompt`, `done` or `error`.
    """

    __slots__ = ("_events", "_waiting", "id", "left")

    def __init__(self, number: int, choices: int) -> None:
        self.id = number
        self.left = choices  # choices whose end has not been said
        self._events: list[Event] = []
        self._waiting: asyncio.Future[None] | None = None

    def put(self, event: Event) -> None:
        """Hear one event."""
        self._events.append(event)
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    async def take(self) -> list[Event]:
        """Everything heard since the last time; waits for the first."""
        if not self._events:
            self._waiting = asyncio.get_running_loop().create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        events, self._events = self._events, []
        return events


class Worker:
    """One child process; `facts` is what it said when its model was ready."""

    def __init__(self, config: Mapping[str, Any], command: tuple[str, ...] = ()) -> None:
        self.config = dict(config)
        self.command = command or (sys.executable, "-m", "studio.engine", "host")
        self.facts: dict[str, Any] = {}
        self.ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.gone = asyncio.Event()
        self.began = time.monotonic()
        self.answers: dict[int, Answer] = {}
        self.stats: dict[str, Any] = {}
        self._lanes: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._rows: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._looks: list[asyncio.Future[dict[str, Any]]] = []
        self._next = 0
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    # ---- life ----

    @property
    def alive(self) -> bool:
        """Whether the process is there, ready or not yet."""
        return self._process is not None and not self.gone.is_set()

    @property
    def pid(self) -> int | None:
        """The process's number."""
        return self._process.pid if self._process else None

    async def start(self) -> None:
        """Begin the process; `ready` is done when its model is loaded or failed."""
        with tempfile.NamedTemporaryFile("w", suffix=".json", prefix="host-", delete=False) as file:
            json.dump(self.config, file)
        own_group: dict[str, Any] = {"start_new_session": True} if os.name == "posix" else {"creationflags": 0x200}
        environment = dict(os.environ)
        if self.config.get("cpu_threads"):
            environment["OMP_NUM_THREADS"] = str(self.config["cpu_threads"])
        try:
            self._process = await asyncio.create_subprocess_exec(
                *self.command, file.name, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
                limit=_LONGEST_LINE, env=environment, **own_group)
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise
        self._reading = asyncio.create_task(self._read(Path(file.name)))

    async def end(self) -> None:
        """Let the process go: it leaves when nothing more can be said to it, and is made to when it does not."""
        process = self._process
        if process is None:
            return
        for ask, seconds in ((self._close, _LEAVE_SECONDS), (process.terminate, _LEAVE_SECONDS), (process.kill, 60.0)):
            with contextlib.suppress(ProcessLookupError, OSError):
                ask()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.gone.wait(), seconds)
                return

    def _close(self) -> None:
        if self._process and self._process.stdin:
            self._process.stdin.close()

    # ---- saying ----

    def say(self, message: Mapping[str, Any]) -> None:
        """One line to the process; raises WorkError engine_ended when it is gone."""
        stdin = self._process.stdin if self._process else None
        if stdin is None or stdin.is_closing() or self.gone.is_set():
            raise WorkError("engine_ended")
        stdin.write(orjson.dumps(message) + b"\n")

    def ask(self, message: Mapping[str, Any], choices: int, kind: type[Answer] = Answer) -> Answer:
        """Begin an answer, heard by one of this kind."""
        self._next += 1
        answer = kind(self._next, choices)
        self.say({"do": "answer", "id": answer.id, **message})
        self.answers[answer.id] = answer
        return answer

    def leave(self, answer: Answer) -> None:
        """Nobody listens to an answer any more: what is not done of it is cancelled."""
        if self.answers.pop(answer.id, None) is not None and answer.left > 0 and self.alive:
            with contextlib.suppress(WorkError):
                self.say({"do": "cancel", "id": answer.id})

    async def load(self, lane: str, folder: Path, kind: str) -> dict[str, Any]:
        """Put an adapter beside the others; raises what the worker says against it."""
        waiting = self._lanes.get(lane)
        if waiting is None:
            self.say({"do": "load", "lane": lane, "folder": str(folder), "kind": kind})
            waiting = self._lanes[lane] = asyncio.get_running_loop().create_future()
        try:
            return await asyncio.shield(waiting)
        finally:
            self._lanes.pop(lane, None)

    def unload(self, lane: str) -> None:
        """Take an adapter away."""
        with contextlib.suppress(WorkError):
            self.say({"do": "unload", "lane": lane})

    async def embed(self, rows: list[list[int]]) -> list[list[float]]:
        """A vector for each row of ids."""
        return list((await self._settled({"do": "embed", "rows": rows}))["rows"])

    async def weigh(self, lane: str, items: Sequence[Mapping[str, Any]]) -> list[list[tuple[float | None, bool]]]:
        """How likely each ending of every item {"prefix": ids, "endings": [ids, …]} is, see `weighing`."""
        return list((await self._settled({"do": "weigh", "lane": lane, "items": list(items)}))["items"])

    async def _settled(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """What the process says to a message that is answered at once."""
        self._next += 1
        number = self._next
        waiting = self._rows[number] = asyncio.get_running_loop().create_future()
        try:
            self.say({**message, "id": number})
            return await waiting
        finally:
            self._rows.pop(number, None)

    async def look(self) -> dict[str, Any]:
        """Rows, places, bytes and counts now; what was said last when the worker is too busy to say."""
        waiting: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        with contextlib.suppress(WorkError, TimeoutError):
            self.say({"do": "look"})
            self._looks.append(waiting)
            await asyncio.wait_for(waiting, _LOOK_SECONDS)
        return self.stats

    # ---- hearing ----

    async def _read(self, config: Path) -> None:
        assert self._process is not None and self._process.stdout is not None
        try:
            while line := await self._process.stdout.readline():
                if line[:1] == b"{":
                    self._hear(orjson.loads(line))
        finally:
            config.unlink(missing_ok=True)
            with contextlib.suppress(ProcessLookupError):
                if self._process.returncode is None and not self._process.stdout.at_eof():
                    self._process.kill()
            await self._process.wait()
            self._part()

    def _hear(self, message: dict[str, Any]) -> None:
        if (tokens := message.get("tokens")) is not None:
            for token in tokens:
                answer = self.answers.get(token[0])
                if answer is not None:
                    answer.put(token)
            return
        for word in ("done", "error", "prompt"):
            if word in message:
                self._of_answer(word, message)
                return
        if "embedding" in message or "weighed" in message:
            said = message.get("embedding") or message["weighed"]
            _settle(self._rows.get(said["id"]), said)
        elif "stats" in message:
            self.stats = message["stats"]
            for look in self._looks:
                _settle(look, self.stats)
            self._looks.clear()
        elif "lane" in message:
            _settle(self._lanes.get(message["lane"]), message)
        elif "ready" in message:
            self.facts = message["ready"]
            _settle(self.ready, self.facts)
        elif "failed" in message:
            _settle(self.ready, message)

    def _of_answer(self, word: str, message: dict[str, Any]) -> None:
        said = message[word]
        answer = self.answers.get(said["id"])
        if answer is None:
            if word == "error":
                _settle(self._rows.get(said["id"]), {"failed": said})
            return
        if word == "done" or (word == "error" and "choice" in said):
            answer.left -= 1
        elif word == "error":
            answer.left = 0
        answer.put(message)

    def _part(self) -> None:
        """The process is no more: whoever waits for it hears so."""
        self.gone.set()
        ended = {"failed": {"code": "engine_ended", "values": {}}}
        for waiting in (self.ready, *self._lanes.values(), *self._rows.values()):
            _settle(waiting, ended)
        for look in self._looks:
            _settle(look, self.stats)
        for answer in list(self.answers.values()):
            answer.left = 0
            answer.put({"error": {"id": answer.id, "code": "engine_ended", "values": {}}})


def _settle(waiting: asyncio.Future[dict[str, Any]] | None, said: dict[str, Any]) -> None:
    if waiting is None or waiting.done():
        return
    failed = said.get("failed")
    if failed:
        waiting.set_exception(failure(failed))
        waiting.exception()  # nobody need be waiting
    else:
        waiting.set_result(said)


def failure(said: Mapping[str, Any]) -> StudioError:
    """The error that a worker tells of."""
    return WorkError(str(said.get("code") or "unexpected"), **(said.get("values") or {}))
