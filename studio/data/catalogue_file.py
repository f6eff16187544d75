"""The file `dataset_info.json`: read, and written back with every byte that is not the changed entry's as it was."""

from __future__ import annotations

import fcntl
import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from studio.errors import InputError, WorkError
from studio.records import write_atomically

NAME = "dataset_info.json"
AWAY = ".put_away"
MARK = "\ufeff"
PATIENCE_SECONDS = 10.0
_LONGEST_NAME = 100
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()
# What parts names in a list of datasets, names a version, parts folders, or cannot be in a file's name.
_PARTING = re.compile(r"[,@/\\:*?\"<>|\x00-\x1f\x7f]")


@dataclass(frozen=True)
class _Member:
    """Where an entry stands in the text: from the quote of its name to the end of its value."""

    name: str
    start: int
    value: int
    end: int


def read(path: Path) -> dict[str, Any]:
    """The entries by name, none when there is no file; raises InputError catalogue_broken or file_unreadable."""
    return _parsed(path, _text(path))


def change(path: Path, name: str, wanted: Callable[[Any], Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
    """Change one entry: `wanted` gets what the disk has for it (None: nothing) and returns what it shall be.

    None takes it away. Nobody else changes the file meanwhile. Raises what `wanted` raises, InputError
    catalogue_broken, file_unreadable or catalogue_busy, WorkError disk_refuses.
    """
    try:
        with _held(path.parent):
            text = _text(path)
            about = wanted(_parsed(path, text).get(name))
            new = edited(text, name, about)
            if new != text:
                _write(path.resolve(), new)
            return about
    except OSError as error:
        raise WorkError("disk_refuses", path=str(path), reason=error.strerror or str(error)) from error


def _write(path: Path, text: str) -> None:
    """Replace the file in one instant, with the rights that others gave it."""
    rights = path.stat().st_mode if path.exists() else None
    write_atomically(path, text)
    if rights is not None and path.stat().st_mode != rights:
        path.chmod(rights)


def away(folder: Path) -> frozenset[str]:
    """The files of the folder that were put away: they stay where they are and are not listed by themselves."""
    try:
        return frozenset((folder / AWAY).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        return frozenset()


def put(folder: Path, file: str, is_away: bool) -> None:
    """Put a file of the folder away, or have it listed again.

    Raises InputError catalogue_busy, WorkError disk_refuses.
    """
    try:
        with _held(folder):
            there = away(folder)
            new = there | {file} if is_away else there - {file}
            if new != there:
                write_atomically(folder / AWAY, "".join(f"{one}\n" for one in sorted(new)))
    except OSError as error:
        raise WorkError("disk_refuses", path=str(folder / AWAY), reason=error.strerror or str(error)) from error


def check_name(name: str) -> None:
    """Raise InputError dataset_name for what cannot name a dataset: nothing, too long, with signs that part names."""
    if not name or name != name.strip() or name.startswith(".") or len(name) > _LONGEST_NAME or _PARTING.search(name):
        raise InputError("dataset_name", name=name)


def edited(text: str, name: str, about: Mapping[str, Any] | None) -> str:
    """The catalogue's text with one entry put in place, added at the end or (None) taken away."""
    members, closing = _members(text or "{}")
    text = text or "{}"
    same = [place for place, member in enumerate(members) if member.name == name]
    if about is None:
        for place in reversed(same):
            text = _without(text, _members(text)[0], place)
        return text
    style = _Style.of(text, members)
    if same:
        member = members[same[-1]]
        spread = "\n" in text[member.value:member.end] or len(members) == 1
        return text[:member.value] + style.spelled(about, spread) + text[member.end:]
    entry = f"{json.dumps(name, ensure_ascii=style.ascii)}: {style.spelled(about, style.spread)}"
    if not members:
        opening = text.index("{") + 1
        return text[:opening] + style.before + entry + style.after + text[closing:]
    end = members[-1].end
    return f"{text[:end]},{style.before if style.spread else ' '}{entry}{text[end:]}"


@dataclass(frozen=True)
class _Style:
    """How a catalogue is written: what stands before a name, one step of indentation, whether ASCII only."""

    before: str
    after: str
    unit: str
    ascii: bool
    spread: bool

    @classmethod
    def of(cls, text: str, members: list[_Member]) -> _Style:
        newline = "\r\n" if "\r\n" in text else "\n"
        ascii_only = text.isascii() and "\\u" in text
        if not members:
            return cls(f"{newline}  ", newline, "  ", ascii_only, True)
        before = re.search(r"\s*\Z", text[:members[0].start]).group()  # type: ignore[union-attr]
        spread = "\n" in before
        unit = before.rpartition("\n")[2] if spread else "  "
        return cls(f"{newline}{unit}", newline, unit, ascii_only, spread)

    def spelled(self, about: Mapping[str, Any], spread: bool) -> str:
        """An entry as the others around it are written."""
        if not spread:
            return json.dumps(about, ensure_ascii=self.ascii)
        text = json.dumps(about, ensure_ascii=self.ascii, indent=self.unit or 2)
        return text.replace("\n", self.before)


def _members(text: str) -> tuple[list[_Member], int]:
    """The entries where they stand, and the place of the closing brace; `text` is known to be an object."""
    found: list[_Member] = []
    place = _skip(text, text.index("{") + 1)
    while text[place] != "}":
        if text[place] == ",":
            place = _skip(text, place + 1)
        name, end = _DECODER.raw_decode(text, place)
        value = _skip(text, _skip(text, end) + 1)
        _, after = _DECODER.raw_decode(text, value)
        found.append(_Member(name, place, value, after))
        place = _skip(text, after)
    return found, place


def _without(text: str, members: list[_Member], place: int) -> str:
    """The text without one member and the comma that parted it."""
    gone = members[place]
    if place:
        return text[:members[place - 1].end] + text[gone.end:]
    if len(members) > 1:
        return text[:gone.start] + text[members[1].start:]
    return text[:gone.start].rstrip() + text[gone.end:].lstrip()


def _skip(text: str, place: int) -> int:
    return _SPACE.match(text, place).end()  # type: ignore[union-attr]


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise InputError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        line = error.object[:error.start].count(b"\n") + 1
        raise InputError("catalogue_broken", path=str(path), line=line, reason=error.reason) from error


def _parsed(path: Path, text: str) -> dict[str, Any]:
    if not text.strip(f"{MARK} \r\n\t"):
        return {}
    try:
        listed = json.loads(text.removeprefix(MARK))
    except ValueError as error:
        line, reason = getattr(error, "lineno", 1), getattr(error, "msg", str(error))
        raise InputError("catalogue_broken", path=str(path), line=line, reason=reason) from error
    if not isinstance(listed, dict):
        raise InputError("catalogue_broken", path=str(path), line=1, reason=type(listed).__name__)
    return listed


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """The folder's lock, which all savers of a catalogue take; raises InputError catalogue_busy after a while."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > until:
                    raise InputError("catalogue_busy", path=str(folder / NAME)) from None
                time.sleep(0.01)
        yield
    finally:
        os.close(handle)
