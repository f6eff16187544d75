"""A journal: one JSON object a line, only ever added to, by any number of tabs and studios at once.

Whoever writes holds the file's lock, has read what the others wrote before, and ends a line that a killed writer left
torn. Such a torn line is passed over by readers; nothing else can be lost.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from studio.data.aside import refused
from studio.errors import InputError

Event = dict[str, Any]
Fold = Callable[[Event], None]
_CHUNK = 1 << 20


class Journal:
    """The events of one file; `fold` hears each of them once, in the order in which they stand there."""

    def __init__(self, path: Path, fold: Fold) -> None:
        self.path = path
        self._fold = fold
        self._place = 0

    def refresh(self) -> int:
        """Hear what was added since the last look; how many events it was.

        Raises InputError conversation_gone when the file is no more.
        """
        try:
            with open(self.path, "rb") as file:
                return self._hear(file.fileno())
        except FileNotFoundError:
            raise InputError("conversation_gone", name=self.path.stem) from None
        except OSError as error:
            raise InputError("file_unreadable", path=str(self.path), reason=error.strerror or str(error)) from error

    def add(self, events: Sequence[Event], heard: bool = False) -> None:
        """Add events behind those of everybody else; they are heard here too, unless they are known (`heard`).

        Raises InputError conversation_gone and WorkError disk_full or disk_refuses.
        """
        text = b"".join(map(_spelled, events))
        try:
            with _held(self.path) as file:
                self._hear(file)
                torn = self._place < os.fstat(file).st_size
                _write(file, b"\n" + text if torn else text)
                if heard:
                    self._place = os.fstat(file).st_size
                else:
                    self._hear(file)
        except FileNotFoundError:
            raise InputError("conversation_gone", name=self.path.stem) from None
        except OSError as error:
            raise refused(self.path, error) from error

    def _hear(self, file: int) -> int:
        """Fold the whole lines behind the place that was reached."""
        count, rest = 0, b""
        while chunk := os.pread(file, _CHUNK, self._place + len(rest)):
            whole, newline, rest = (rest + chunk).rpartition(b"\n")
            if not newline:
                continue
            self._place += len(whole) + 1
            for event in parsed(whole.split(b"\n")):
                self._fold(event)
                count += 1
        return count


def parsed(lines: Sequence[bytes]) -> Iterator[Event]:
    """The events in lines; what is torn or none of ours is passed over."""
    for line in lines:
        try:
            event = orjson.loads(line)
        except ValueError:
            event = _by_patience(line)
        if isinstance(event, dict) and isinstance(event.get("do"), str):
            yield event


def _by_patience(line: bytes) -> Any:
    """What the quick reader refuses and JSON allows, such as very large numbers; None for what is no JSON."""
    try:
        return json.loads(line)
    except ValueError:
        return None


def _spelled(event: Event) -> bytes:
    """An event as its line; halves of characters, which UTF-8 cannot spell, become question marks."""
    try:
        return orjson.dumps(event) + b"\n"
    except TypeError:
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"


def create(path: Path, events: Sequence[Event]) -> None:
    """A new journal that is there with its first events or not at all; raises WorkError disk_full, disk_refuses."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(b"".join(map(_spelled, events)))
        os.rename(aside, path)
    except OSError as error:
        raise refused(path, error) from error
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def _held(path: Path) -> Iterator[int]:
    """The file, open for adding and locked; never made anew, since it may have been removed meanwhile."""
    file = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink == 0 or not path.exists():
            raise FileNotFoundError(path)
        yield file
    finally:
        os.close(file)


def _write(file: int, text: bytes) -> None:
    start = os.fstat(file).st_size
    try:
        while text:
            text = text[os.write(file, text):]
    except OSError:
        os.ftruncate(file, start)  # a full disk: half a line helps nobody
        raise
