"""The host of one base model: reads wishes from stdin, answers on stdout, one JSON object a line; ends with its stdin.

    python -m studio.engine host CONFIG.json

CONFIG.json holds base (a folder), name, quantization_bit, compute_type, cpu_threads, max_lanes, context, cache_bytes.
One thread owns the model; another only reads. Whatever else writes to stdout in this process lands on stderr.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.engine.diagnosis import diagnose
from studio.errors import InputError, StudioError

_GRACE_SECONDS = 10.0


@dataclass(frozen=True)
class Config:
    """What CONFIG.json says."""

    base: Path
    name: str
    quantization_bit: int | None = None
    compute_type: str = "auto"
    cpu_threads: int | None = None
    max_lanes: int = 32
    context: int | None = None
    cache_bytes: int | None = None

    @classmethod
    def read(cls, path: Path) -> Config:
        """The configuration in a file."""
        said = json.loads(path.read_text(encoding="utf-8"))
        known = {name: said[name] for name in cls.__dataclass_fields__ if said.get(name) is not None}
        base = Path(known.pop("base"))
        return cls(base=base, **{"name": base.name, **known})


class Wire:
    """Lines out: a private copy of stdout, so that no library can write between them."""

    def __init__(self) -> None:
        self._out = os.dup(1)
        os.dup2(2, 1)

    def say(self, message: Mapping[str, Any]) -> None:
        """Send one message; a front that is gone ends this process."""
        data = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        try:
            while data:
                data = data[os.write(self._out, data):]
        except BrokenPipeError:
            os._exit(0)


class Inbox:
    """Lines in, read by a thread of their own; `None` is the end."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, name="inbox", daemon=True).start()

    def _read(self) -> None:
        for line in sys.stdin.buffer:
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict):
                self._queue.put(message)
        self._queue.put(None)
        time.sleep(_GRACE_SECONDS)  # the owner of the model may be in a long computation that nobody waits for
        os._exit(0)

    def next(self, *, wait: bool) -> dict[str, Any] | None:
        """The next message; raises queue.Empty when there is none and nobody waits."""
        return self._queue.get(block=wait)


def main(argv: list[str]) -> int:
    """Host the model of a configuration until stdin ends; 1 when it could not be loaded, and the reason was sent.

    The process leaves at once: taking libraries down by the book costs a CPU-second that somebody waits for, and a
    thread still holds stdin.
    """
    code = _hosted(argv)
    sys.stderr.flush()
    os._exit(code)


def _hosted(argv: list[str]) -> int:
    config = Config.read(Path(argv[0]))
    wire, inbox = Wire(), Inbox()
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    if config.cpu_threads:
        os.environ["OMP_NUM_THREADS"] = str(config.cpu_threads)
    try:
        from studio.engine.server.model import Model, without_gradients

        with without_gradients():
            model = Model.load(config, wire.say)
            wire.say({"ready": model.ready})
            _work(model, inbox, wire)
        return 0
    except StudioError as error:
        wire.say({"failed": {"code": error.code, "values": error.values}})
    except (MemoryError, RuntimeError, OSError) as error:
        failed = diagnose(error)
        wire.say({"failed": {"code": failed.code, "values": failed.values}})
    return 1


def _work(model: Any, inbox: Inbox, wire: Wire) -> None:
    """Messages first, then a step, until stdin ends."""
    while True:
        try:
            while True:
                message = inbox.next(wait=not model.scheduler.busy)
                if message is None:
                    return
                _obey(model, message, wire)
        except queue.Empty:
            model.scheduler.step()


def _obey(model: Any, message: Mapping[str, Any], wire: Wire) -> None:
    """Do what one message says; what is wrong with it is answered, never raised."""
    verb = message.get("do")
    try:
        done = model.obey(str(verb), message)
        if not done:
            raise InputError("host_message", value=str(verb))
    except StudioError as error:
        _refuse(message, error.code, dict(error.values), wire)
    except (KeyError, TypeError, ValueError) as error:
        _refuse(message, "host_message", {"value": f"{verb}: {type(error).__name__} {error}"[:200]}, wire)


def _refuse(message: Mapping[str, Any], code: str, values: dict[str, Any], wire: Wire) -> None:
    failed = {"code": code, "values": values}
    if "id" in message:
        wire.say({"error": {"id": message["id"], **failed}})
    else:
        wire.say({"lane": message.get("lane"), "failed": failed})
