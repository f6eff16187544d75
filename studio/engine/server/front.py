"""The front: speaks HTTP and knows no torch; each base model is a worker process behind it.

    python -m studio.engine serve CONFIG.json

One line on stdout says where it listens: {"listening": {"url": …, "port": …}}, or why it cannot: {"failed": {"code": …,
"values": …}}. It ends in good order on SIGTERM, on SIGINT, and, when attached, with the end of its stdin.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from studio.engine.server import settings as configuration
from studio.engine.server import vllm
from studio.engine.server.app import application
from studio.engine.server.keys import Keys
from studio.engine.server.metrics import Metrics
from studio.engine.server.registry import Registry
from studio.engine.server.server import Server
from studio.engine.server.settings import Settings
from studio.errors import InputError, StudioError
from studio.hosts import is_loopback
from studio.records import write_json

_GRACE_SECONDS = 3
_BACKLOG = 2048
_SILENT_SECONDS = 60.0


def main(argv: list[str]) -> int:
    """Serve until asked to end: 0; 1 when a model could not be loaded; 2 when it was configured wrongly."""
    try:
        asked = configuration.read(Path(argv[0]))
        keys = configuration.keys()
        if not is_loopback(asked.host) and not keys:
            raise InputError("serve_needs_key", host=asked.host)
        if asked.backend == "vllm":
            vllm.check()
        os.environ["STUDIO_ROOT"] = str(asked.workspace.root)  # for the hosts: they keep their hashes below it
        _more_files()
        listening = bound(asked.host, asked.port)
        return asyncio.run(serve(asked, Keys(keys), listening))
    except StudioError as error:
        tell({"failed": {"code": error.code, "values": error.values}})
        return error.exit_code


async def serve(asked: Settings, keys: Keys, listening: socket.socket) -> int:
    """Listen, load what is listed, serve until the end."""
    registry = Registry(asked)
    registry.list_models()
    other = vllm.Vllm(registry) if asked.backend == "vllm" else None
    app = application(Server(asked, registry, Metrics(), other), keys)
    running = _Quiet(uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", loop="asyncio", http=_Impatient, ws="none",
        server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS, backlog=_BACKLOG, timeout_keep_alive=65))
    loop = asyncio.get_running_loop()
    stop = _Stop(running, loop)
    stop.watch(asked.attached)
    serving = asyncio.create_task(running.serve(sockets=[listening]))
    while not running.started and not serving.done():
        await asyncio.sleep(0.01)
    where = {"url": url_of(asked.host, listening), "port": listening.getsockname()[1]}
    tell({"listening": where})
    if asked.ready_file:
        write_json(Path(asked.ready_file), where)
    registry.start()
    loading = asyncio.create_task(other.start() if other else registry.load_listed())
    loading.add_done_callback(lambda task: _told(task, stop))
    await stop.asked.wait()
    loading.cancel()
    await registry.end()
    if other:
        await other.end()
    running.should_exit = True
    await serving
    return stop.code


def _told(loading: asyncio.Task[None], stop: _Stop) -> None:
    """What is listed is loaded, or why not: then there is nothing to serve."""
    if loading.cancelled():
        return
    error = loading.exception()
    if error is None:
        tell({"loaded": True})
        return
    if isinstance(error, StudioError):
        tell({"failed": {"code": error.code, "values": error.values}})
    else:
        tell({"failed": {"code": "unexpected", "values": {"kind": type(error).__name__, "reason": str(error)}}})
    stop.code = 1
    stop.asked.set()


class _Impatient(H11Protocol):
    """HTTP for clients that come to say something: a connection without a request is closed after a while."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        super().connection_made(transport)
        self._impatience = self.loop.call_later(_SILENT_SECONDS, self._close_if_silent)

    def connection_lost(self, exc: Exception | None) -> None:
        """A client has gone."""
        self._impatience.cancel()
        super().connection_lost(exc)

    def _close_if_silent(self) -> None:
        if self.cycle is None and not self.transport.is_closing():
            self.transport.close()


class _Quiet(uvicorn.Server):
    """uvicorn without hands on the signals: what ends the server stands in one place, below."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


class _Stop:
    """What ends the server: a signal, a second one at once, the end of stdin."""

    def __init__(self, running: uvicorn.Server, loop: asyncio.AbstractEventLoop) -> None:
        self.running = running
        self.loop = loop
        self.asked = asyncio.Event()
        self.code = 0

    def watch(self, attached: bool) -> None:
        """Begin to watch."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self.loop.call_soon_threadsafe(self.ask))
        if attached:
            threading.Thread(target=self._wait_for_parent, name="parent", daemon=True).start()

    def ask(self) -> None:
        """Ask it to end; the second time without waiting for anybody."""
        if self.asked.is_set():
            self.running.force_exit = True
        self.asked.set()

    def _wait_for_parent(self) -> None:
        while os.read(0, 4096):  # past Python's own buffer, whose lock a thread must not hold at the end
            pass
        self.loop.call_soon_threadsafe(self.ask)


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens; raises InputError port_unusable."""
    try:
        family, kind, number, _, address = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM,
                                                              flags=socket.AI_PASSIVE)[0]
        found = socket.socket(family, kind, number)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        raise InputError("port_unusable", host=host, port=port,
                         reason=getattr(error, "strerror", None) or str(error)) from error
    found.setblocking(False)
    return found


def url_of(host: str, listening: socket.socket) -> str:
    """Where this machine reaches it."""
    name = "127.0.0.1" if host in ("0.0.0.0", "::", "") else host.strip("[]")
    return f"http://{f'[{name}]' if ':' in name else name}:{listening.getsockname()[1]}"


def tell(message: Mapping[str, Any]) -> None:
    """One line on stdout; a parent that is gone hears nothing."""
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(message, ensure_ascii=False, default=str), flush=True)


def _more_files() -> None:
    """As many open connections as the system lets us have."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
