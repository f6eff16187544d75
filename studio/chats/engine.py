"""Engine: the process that answers for this workspace, started when first needed and again after it was killed."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from studio.chats import client
from studio.chats.client import Address
from studio.chats.conversation import refuse_secret
from studio.errors import InputError, WorkError
from studio.identity import Identity
from studio.workspace import PROJECT, Workspace

KEYS, REMOTE_KEYS = "STUDIO_API_KEYS", "STUDIO_LANE_KEYS"
START_SECONDS = 60.0
IDLE_MINUTES = 30
_LOOK_SECONDS = 0.02
_LEAVE_SECONDS = 8.0
_KEPT_SECONDS = 2 * 24 * 3600
_SECRETS = (KEYS, REMOTE_KEYS)


@dataclass(frozen=True)
class Usage:
    """What the engine takes from this machine now: bytes of memory, and CPU-seconds since it began."""

    bytes: int
    cpu_seconds: float
    processes: int


class Engine:
    """The road to the weights; `settings` are those of the engine's configuration, such as `cpu_threads`.

    The engine ends with this process: the pipe that is its standard input is closed then, however we die.
    """

    def __init__(self, workspace: Workspace, lang: str = "en", **settings: Any) -> None:
        self.workspace = workspace
        self.lang = lang
        self.settings = settings
        self._guard = threading.RLock()
        self._process: subprocess.Popen[bytes] | None = None
        self._address: Address | None = None
        self._keys = _keys_of(os.environ.get(REMOTE_KEYS, ""))

    @cached_property
    def folder(self) -> Path:
        """Where its configuration and log are."""
        return self.workspace.cache / "engine" / f"{os.getpid()}-{secrets.token_hex(3)}"

    @property
    def log(self) -> Path:
        """What the engine and its workers said."""
        return self.folder / "engine.log"

    @property
    def alive(self) -> bool:
        """Whether the process lives."""
        process = self._process
        return process is not None and process.poll() is None

    def address(self) -> Address:
        """Where the engine listens; it is started when it does not live. Raises WorkError engine_not_started."""
        with self._guard:
            if not self.alive or self._address is None:
                self._address = self._started()
            return self._address

    def road(self, lane: str) -> tuple[Address, str]:
        """(server, name of the model there) for a lane: another machine's address, else our own engine.

        Raises InputError lane_address, WorkError engine_not_started and what asking another machine raises.
        """
        if not is_remote(lane):
            return self.address(), lane
        refuse_secret(lane)
        url, _, model = lane.partition("#")
        with contextlib.suppress(ValueError):
            parts = urlsplit(url)
            if parts.hostname:
                address = Address(url, self._keys.get(_place(url), ""))
                return address, model or _first_model(address)
        raise InputError("lane_address", value=url)

    def remember_key(self, url: str, key: str) -> None:
        """Keep the key of another machine's address as long as this process lives; it is written nowhere."""
        self._keys[_place(url)] = key

    def limit(self, **settings: Any) -> bool:
        """Change settings such as `cpu_threads`; an engine that lives is ended and begins anew. Whether it was."""
        with self._guard:
            if all(self.settings.get(name) == value for name, value in settings.items()):
                return False
            self.settings = {**self.settings, **settings}
            was_alive = self.alive
            self.stop()
            return was_alive

    def usage(self) -> Usage | None:
        """What the engine and its workers take; None when it does not live."""
        import psutil

        process = self._process
        if process is None or process.poll() is not None:
            return None
        total, seconds, count = 0, 0.0, 0
        with contextlib.suppress(psutil.Error):
            top = psutil.Process(process.pid)
            for one in (top, *top.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += one.memory_info().rss
                    seconds += sum(one.cpu_times()[:2])
                    count += 1
        return Usage(total, seconds, count)

    def stop(self) -> None:
        """End the engine with all that it has loaded; returns when it is gone."""
        with self._guard:
            process, self._process, self._address = self._process, None, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            process.stdin.close()  # type: ignore[union-attr]
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE_SECONDS)
            return
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_LEAVE_SECONDS)
            return
        process.kill()
        process.wait()

    def _started(self) -> Address:
        key = secrets.token_urlsafe(32)
        ready = self.folder / "ready.json"
        config = {"root": str(self.workspace.root), "lang": self.lang, "host": "127.0.0.1", "port": 0, "models": [],
                  "open": True, "attached": True, "idle_minutes": IDLE_MINUTES, "ready_file": str(ready),
                  **self.settings}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _clear_old(self.folder.parent)
            ready.unlink(missing_ok=True)
            (self.folder / "config.json").write_text(json.dumps(config, ensure_ascii=False), encoding="utf-8")
            self._process = self._begun(key)
        except OSError as error:
            raise WorkError("engine_not_started", path=str(self.log), reason=error.strerror or str(error)) from error
        return Address(_url(self._heard(ready)), key, is_own=True)

    def _begun(self, key: str) -> subprocess.Popen[bytes]:
        environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        command = [sys.executable, "-m", "studio.engine", "serve", str(self.folder / "config.json")]
        with open(self.log, "ab") as log:  # a session of its own: Ctrl-C in a terminal is for the chat, not for it
            return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=PROJECT,
                                    env={**environment, KEYS: key}, start_new_session=True)

    def _failure(self) -> WorkError | None:
        try:
            return _of_log(self.log.read_text(encoding="utf-8", errors="replace")[-4000:])
        except OSError:
            return None

    def _heard(self, ready: Path) -> Mapping[str, Any]:
        """What the engine writes when it listens."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until and self.alive:
            with contextlib.suppress(OSError, ValueError):
                found = json.loads(ready.read_text(encoding="utf-8"))
                return dict(found.get("listening", found))
            time.sleep(_LOOK_SECONDS)
        if not self.alive and (said := self._failure()) is not None:
            raise said
        reason = "@chats.engine.silent" if self.alive else "@chats.engine.ended"
        self.stop()
        raise WorkError("engine_not_started", path=str(self.log), reason=reason)


def _clear_old(room: Path) -> None:
    """Delete what engines of earlier days left behind; a folder's name begins with the pid of whom it belonged to."""
    for folder in room.iterdir():
        pid = folder.name.partition("-")[0]
        if pid.isdigit() and Identity.of(int(pid)) is not None:
            continue
        with contextlib.suppress(OSError):
            if time.time() - max(one.stat().st_mtime for one in (folder, *folder.iterdir())) > _KEPT_SECONDS:
                shutil.rmtree(folder)


def _of_log(text: str) -> WorkError | None:
    """Why an engine could not begin, as its last word of it says."""
    for line in reversed(text.splitlines()):
        if line.startswith('{"failed"'):
            with contextlib.suppress(ValueError, KeyError, TypeError):
                failed = json.loads(line)["failed"]
                return WorkError(str(failed["code"]), **dict(failed["values"]))
    return None


def is_remote(lane: str) -> bool:
    """Whether a lane is another machine's address: http://host:port/v1#model."""
    return lane.startswith(("http://", "https://"))


def _first_model(address: Address) -> str:
    found = client.models(address)
    return str(found[0].get("id") or "") if found else ""


def _url(listening: Mapping[str, Any]) -> str:
    return str(listening.get("url") or f"http://127.0.0.1:{listening['port']}")


def _place(url: str) -> str:
    return url.partition("#")[0].rstrip("/").removesuffix("/v1")


def _keys_of(text: str) -> dict[str, str]:
    """Keys of other machines from the environment: an address and its key a line."""
    pairs = (line.split(maxsplit=1) for line in text.splitlines())
    return {_place(pair[0]): pair[1].strip() for pair in pairs if len(pair) == 2}
