"""Files on their way to a hub: counted as they are read, stopped between two blocks, named and hashed alike."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from studio.errors import InputError, StopAsked
from studio.plugins.hubs import Progress, Stop

BLOCK = 1 << 18
WEIGHTS = (".safetensors", ".safetensors.index.json")


class Pushed(NamedTuple):
    """Where a folder lies now; `removed` are older weights that were taken away, `left` such as lie there still."""

    repo: str
    url: str
    removed: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Watched(io.BufferedReader):
    """A file open for reading that hears of a stop at every block and, once `sending`, tells how far it was read."""

    def __init__(self, path: Path, should_stop: Stop | None, on_read: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path), BLOCK)
        self.sending = False
        self._should_stop, self._on_read = should_stop, on_read

    def read(self, size: int | None = -1, /) -> bytes:
        """The next bytes; raises StopAsked."""
        if self._should_stop and self._should_stop():
            raise StopAsked("delivering")
        found = super().read(size)
        if self.sending:
            self._on_read(self.tell())
        return found


class Parcel:
    """The files of a folder by their names on the hub, and how many of their bytes have gone."""

    def __init__(self, folder: Path, on_progress: Progress | None, should_stop: Stop | None) -> None:
        found = sorted(path for path in folder.rglob("*") if path.is_file())
        inner = [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]
        self.files = {path.relative_to(folder).as_posix(): path for path in inner}
        self.sizes = {name: path.stat().st_size for name, path in self.files.items()}
        self._total, self._behind = sum(self.sizes.values()), 0
        self._on_progress, self._should_stop = on_progress, should_stop

    def watched(self, name: str) -> Watched:
        """One of the files, open and watched."""
        return Watched(self.files[name], self._should_stop, self._tell)

    def gone(self, name: str) -> None:
        """All of a file is there."""
        self._behind += self.sizes[name]
        self._tell(0)

    def digests(self) -> dict[str, str]:
        """The sha256 of every file."""
        found = {}
        for name in self.files:
            made = hashlib.sha256()
            with self.watched(name) as file:
                while block := file.read(BLOCK):
                    made.update(block)
            found[name] = made.hexdigest()
        return found

    def blocks(self, name: str) -> Iterator[bytes]:
        """The bytes of one file on their way."""
        with self.watched(name) as file:
            file.sending = True
            while block := file.read(BLOCK):
                yield block

    def older(self, there: list[str]) -> tuple[str, ...]:
        """Weights on the hub that this folder does not have: programs might load them in place of the new ones."""
        if not any(name.endswith(WEIGHTS) for name in self.files):
            return ()
        return tuple(sorted(name for name in there if name.endswith(WEIGHTS) and name not in self.files))

    def _tell(self, read: int) -> None:
        if self._on_progress:
            self._on_progress(self._behind + read, self._total)


def token(variable: str, hub: str) -> str:
    """The token that the environment holds; raises InputError hub_token_missing."""
    found = os.environ.get(variable, "").strip()
    if not found:
        raise InputError("hub_token_missing", hub=hub, variable=variable)
    return found


def cause(error: BaseException, kind: type[BaseException] | Callable[[BaseException], bool]) -> BaseException | None:
    """The error of a kind that an error was raised from, or it itself; clients wrap what happens inside of them."""
    found: BaseException | None = error
    while found is not None and not (isinstance(found, kind) if isinstance(kind, type) else kind(found)):
        found = found.__cause__ or found.__context__
    return found
