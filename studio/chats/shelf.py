"""The conversations of a workspace: made, listed, searched, renamed, duplicated, put into the bin and taken back."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Sequence
from pathlib import Path

from studio.chats import journal
from studio.chats.conversation import Conversation
from studio.chats.heads import Head, Heads
from studio.data.aside import refused
from studio.errors import InputError
from studio.workspace import Workspace

FOLDER, BIN, SUFFIX = "chats", ".bin", ".jsonl"
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_KEPT_SECONDS = 30 * 24 * 3600


class Shelf:
    """All conversations below `data/chats`; nothing else is ever read or written by their ids."""

    def __init__(self, workspace: Workspace) -> None:
        self.folder = workspace.data / FOLDER
        self._heads = Heads(self.folder)

    def path(self, id: str) -> Path:
        """The file of a conversation, there or not; raises InputError conversation_unknown for what is no id."""
        if not _ID.fullmatch(id):
            raise InputError("conversation_unknown", name=id)
        return self.folder / f"{id}{SUFFIX}"

    def create(self, title: str = "", lanes: Sequence[str] = ()) -> Conversation:
        """A new conversation; without a title, it is listed by its first words.

        Raises WorkError disk_full, disk_refuses.
        """
        id = _new_id()
        events: list[journal.Event] = [{"do": "begin", "id": id, "title": title, "at": time.time()}]
        if lanes:
            events.append({"do": "settings", "values": {"lanes": list(lanes)}})
        journal.create(self.path(id), events)
        return Conversation(self.path(id))

    def open(self, id: str) -> Conversation:
        """The conversation of this id, read anew; raises InputError conversation_unknown.

        The page asks `talks.talk`, whose conversations are shared by everybody in its process.
        """
        path = self.path(id)
        if not path.is_file():
            raise InputError("conversation_unknown", name=id)
        return Conversation(path)

    def heads(self, most: int = 200, start: int = 0) -> list[Head]:
        """The conversations, those last spoken in first."""
        return self._heads.listed(most, start)

    def count(self) -> int:
        """How many conversations there are."""
        return self._heads.count()

    def search(self, words: str, most: int = 200) -> list[Head]:
        """Those whose title or messages hold every one of these words, whatever their case or width.

        Each head's `found` shows the first word in its surroundings. Words in double quotes belong together.
        """
        return self._heads.search(words, most)

    def voted(self) -> list[Head]:
        """Those in which blind votes were cast."""
        return self._heads.having("votes")

    def corrected(self) -> list[Head]:
        """Those in which answers were corrected."""
        return self._heads.having("corrections")

    def rename(self, id: str, title: str) -> None:
        """Give a conversation another title; raises InputError conversation_unknown."""
        self.open(id).rename(title)

    def duplicate(self, id: str, title: str = "") -> Conversation:
        """A copy to go on with, its votes and corrections too; raises what `open` and `create` raise."""
        source = self.open(id)
        events = [one for one in journal.parsed(source.path.read_bytes().split(b"\n")) if one["do"] != "begin"]
        new = _new_id()
        at = {"at": time.time()}
        journal.create(self.path(new), [{"do": "begin", "id": new, **at}, *events,
                                        {"do": "title", "title": title or source.title, **at}])
        return Conversation(self.path(new))

    def remove(self, id: str) -> str:
        """Put a conversation into the bin; the key by which `restore` takes it back."""
        path = self.path(id)
        try:
            (self.folder / BIN).mkdir(exist_ok=True)
            self._empty_old()
            target = self.folder / BIN / path.name
            os.replace(path, target)
            os.utime(target)
        except FileNotFoundError:
            raise InputError("conversation_unknown", name=id) from None
        except OSError as error:
            raise refused(path, error) from error
        return id

    def restore(self, id: str) -> Conversation:
        """Take a conversation out of the bin; raises InputError conversation_unknown."""
        path = self.path(id)
        try:
            os.replace(self.folder / BIN / path.name, path)
        except FileNotFoundError:
            raise InputError("conversation_unknown", name=id) from None
        except OSError as error:
            raise refused(path, error) from error
        return Conversation(path)

    def bin(self) -> list[str]:
        """The ids of what lies in the bin, latest first; it is kept for thirty days."""
        try:
            found = [(entry.stat().st_mtime, entry.name.removesuffix(SUFFIX))
                     for entry in os.scandir(self.folder / BIN) if entry.name.endswith(SUFFIX)]
        except OSError:
            return []
        return [id for _, id in sorted(found, reverse=True)]

    def _empty_old(self) -> None:
        for entry in os.scandir(self.folder / BIN):
            if time.time() - entry.stat().st_mtime > _KEPT_SECONDS:
                os.unlink(entry.path)


def _new_id() -> str:
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
