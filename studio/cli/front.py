"""The server as a child of the command line: started with its configuration, ended with it, its keys by environment."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from studio.errors import StudioError, WorkError
from studio.workspace import PROJECT

KEYS = "STUDIO_API_KEYS"


class Front:
    """The server's process while entered.

    It stands in a session of its own, so Ctrl-C reaches only this program, which asks it to end in good order; a second
    time ends it at once. When this program is killed its end of the pipe closes, and the server ends too.
    """

    def __init__(self, config: Mapping[str, Any], keys: Sequence[str], on_ending: Callable[[], None]) -> None:
        self._config = dict(config)
        self._keys = list(keys)
        self._asked = 0
        self._tell = on_ending
        self._former: dict[int, Any] = {}

    def __enter__(self) -> Front:
        self._folder = Path(tempfile.mkdtemp(prefix="studio-serve-"))
        path = self._folder / "config.json"
        path.write_text(json.dumps(self._config, ensure_ascii=False), encoding="utf-8")
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._former[number] = signal.signal(number, self._end)
        self.process = subprocess.Popen(
            [sys.executable, "-P", "-m", "studio.engine", "serve", str(path)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=self._environment(), encoding="utf-8", start_new_session=True)
        return self

    def __exit__(self, *_: object) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for number, handler in self._former.items():
            signal.signal(number, handler)
        shutil.rmtree(self._folder, ignore_errors=True)

    def listening(self) -> str | None:
        """Its address, once it listens; None when it was asked to end before. Raises what `_heard` raises."""
        said = self._heard("listening")
        return None if said is None else str(said["url"])

    def loaded(self) -> bool:
        """Once everything is in memory, True; False when it was asked to end before. Raises what `_heard` raises."""
        if self._heard("loaded") is None:
            return False
        threading.Thread(target=_drain, args=(self.process.stdout,), daemon=True).start()
        return True

    def _heard(self, name: str) -> Any:
        """What the server says under this name; None when it was asked to end before it said so.

        Raises the StudioError that the server tells of, or WorkError server_ended.
        """
        assert self.process.stdout is not None
        for line in self.process.stdout:
            said = _object(line)
            if name in said:
                return said[name]
            if isinstance(said.get("failed"), dict):
                self.process.wait()
                raise _told(said["failed"])
        code = self.process.wait()
        if self._asked:
            return None
        raise WorkError("server_ended", reason=code)

    def wait(self) -> int:
        """Until the server ends: 0 when it was asked to; raises WorkError server_gone when it was not."""
        code = self.process.wait()
        if self._asked:
            return 0
        raise WorkError("server_gone", value=code)

    def _end(self, number: int, frame: types.FrameType | None) -> None:
        self._asked += 1
        if self._asked == 1:
            self._tell()
            self.process.terminate()
        else:
            self.process.kill()

    def _environment(self) -> dict[str, str]:
        paths = [str(PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
        found = {"OMP_WAIT_POLICY": "passive", **os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        found.pop(KEYS, None)
        return {**found, KEYS: "\n".join(self._keys)} if self._keys else found


def _object(line: str) -> dict[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _told(failed: Mapping[str, Any]) -> StudioError:
    values = failed.get("values")
    given = {str(name): value for name, value in values.items() if name != "code"} if isinstance(values, dict) else {}
    return WorkError(str(failed.get("code", "unexpected")), **given)


def _drain(stream: Any) -> None:
    """Whatever else it says is read, so that it never waits for a reader."""
    try:
        for _ in stream:
            continue
    except ValueError:  # the stream was closed at the end
        return
