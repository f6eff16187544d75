"""The heads of all conversations in one small database, so that thousands are listed and searched in a moment.

`.heads.sqlite` is made from the journals and may be deleted at any time; a journal is read again when its size or
time of change differs from what is noted there.
"""

from __future__ import annotations

import os
import re
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from studio.chats.conversation import Conversation
from studio.errors import StudioError

NAME, SUFFIX = ".heads.sqlite", ".jsonl"
_VERSION = 1
_TABLE = """CREATE TABLE IF NOT EXISTS heads (id TEXT PRIMARY KEY, changed INTEGER, bytes INTEGER, title TEXT,
    first TEXT, lanes TEXT, created REAL, updated REAL, messages INTEGER, votes INTEGER, corrections INTEGER,
    words TEXT)"""
_SHOWN = ", ".join(("id", "title", "first", "lanes", "created", "updated", "messages", "votes", "corrections"))
_AROUND = 36
_BEGINNING = 80
_WORDS = re.compile(r'"([^"]+)"|(\S+)')


@dataclass(frozen=True)
class Head:
    """A conversation in one line of the list; `first` are its first words, `found` where a search met it."""

    id: str
    title: str
    first: str
    lanes: tuple[str, ...]
    created: float
    updated: float
    messages: int
    votes: int
    corrections: int
    found: str = ""


class Heads:
    """The list of a folder of journals."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guard = threading.Lock()

    def listed(self, most: int, start: int) -> list[Head]:
        """The heads, the latest first."""
        with self._fresh() as base:
            rows = base.execute(f"SELECT {_SHOWN} FROM heads ORDER BY updated DESC, id DESC LIMIT ? OFFSET ?",
                                (most, start))
            return [_head(row) for row in rows]

    def count(self) -> int:
        """How many there are."""
        with self._fresh() as base:
            return int(base.execute("SELECT count(*) FROM heads").fetchone()[0])

    def having(self, figure: str) -> list[Head]:
        """The heads whose `votes` or `corrections` are not 0."""
        column = {"votes": "votes", "corrections": "corrections"}[figure]
        with self._fresh() as base:
            return [_head(row) for row in base.execute(f"SELECT {_SHOWN} FROM heads WHERE {column} ORDER BY id")]

    def search(self, words: str, most: int) -> list[Head]:
        """The heads of those that hold every word, the latest first."""
        wanted = [folded(one or other) for one, other in _WORDS.findall(words)]
        if not wanted:
            return self.listed(most, 0)
        condition = " AND ".join("instr(words, ?)" for _ in wanted)
        with self._fresh() as base:
            rows = base.execute(f"SELECT {_SHOWN}, words FROM heads WHERE {condition} "
                                "ORDER BY updated DESC, id DESC LIMIT ?", (*wanted, most))
            return [replace(_head(row[:-1]), found=_around(row[-1], wanted[0])) for row in rows]

    @contextmanager
    def _fresh(self) -> Iterator[sqlite3.Connection]:
        """The database, true to the journals of this moment; made anew when it is damaged."""
        with self._guard:
            try:
                base = self._opened()
            except sqlite3.DatabaseError:
                (self.folder / NAME).unlink(missing_ok=True)
                base = self._opened()
            with closing(base):
                yield base

    def _opened(self) -> sqlite3.Connection:
        there = self.folder.is_dir()
        base = sqlite3.connect(self.folder / NAME if there else ":memory:", timeout=10)
        try:
            if base.execute("PRAGMA user_version").fetchone()[0] != _VERSION:
                base.execute("DROP TABLE IF EXISTS heads")
            base.execute(_TABLE)
            base.execute(f"PRAGMA user_version = {_VERSION}")
            self._follow(base)
            base.commit()
        except BaseException:
            base.close()
            raise
        return base

    def _follow(self, base: sqlite3.Connection) -> None:
        """Read again what has changed, forget what is gone."""
        known = {row[0]: row[1:] for row in base.execute("SELECT id, changed, bytes FROM heads;")}
        there = dict(_stamps(self.folder))
        gone = [(id,) for id in known.keys() - there.keys()]
        base.executemany("DELETE FROM heads WHERE id = ?", gone)
        for id, stamp in there.items():
            if known.get(id) == stamp:
                continue
            row = _row(self.folder / f"{id}{SUFFIX}")
            if row is not None:
                base.execute(f"INSERT OR REPLACE INTO heads VALUES ({', '.join('?' * 12)})", (id, *stamp, *row))


def folded(text: str) -> str:
    """A text as it is compared: case and width put aside, white space as single spaces."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _stamps(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX) and not entry.name.startswith("."):
                    stat = entry.stat()
                    yield entry.name.removesuffix(SUFFIX), (stat.st_mtime_ns, stat.st_size)
    except FileNotFoundError:
        return


def _row(path: Path) -> tuple[str, str, str, float, float, int, int, int, str] | None:
    """title, first words, lanes, created, updated, messages, votes, corrections and all words; None when it is gone."""
    try:
        tree = Conversation(path).tree
    except StudioError:
        return None
    asked = [one for one in tree.messages.values() if one.role == "user"]
    open_ones = {one.id for one in tree.messages.values() if tree.is_hidden(one)}
    lanes = dict.fromkeys(lane for one in tree.messages.values() if one.id not in open_ones
                          for lane in one.slots.values())
    said = [tree.title, *(one.content for one in tree.messages.values()),
            *(part for one in tree.answers.values() for part in (one.content, one.correction or "", one.thinking))]
    first = " ".join(asked[0].content.split())[:_BEGINNING] if asked else ""
    votes = sum(one.vote is not None for one in tree.messages.values())
    mended = sum(one.correction is not None for one in tree.answers.values())
    return (tree.title, first, "\n".join(lanes), tree.created, tree.updated, len(asked), votes, mended,
            folded("\n".join(filter(None, said))))


def _head(row: tuple[str, str, str, str, float, float, int, int, int]) -> Head:
    id, title, first, lanes, created, updated, messages, votes, mended = row
    return Head(id, title, first, tuple(filter(None, lanes.split("\n"))), created, updated, messages, votes, mended)


def _around(text: str, word: str) -> str:
    """The first place of a word, with what stands around it."""
    place = text.find(word)
    start, end = max(0, place - _AROUND), place + len(word) + _AROUND
    return ("…" if start else "") + text[start:end] + ("…" if end < len(text) else "")
