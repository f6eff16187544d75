"""The bytes of a source: unpacked, watched for bombs, and known to have stayed the same while they were read."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from studio.data.reading.source import Source, check_bomb, unreadable
from studio.errors import InputError

CHUNK = 1 << 20
_MAGIC = {"gz": b"\x1f\x8b", "xz": b"\xfd7zXZ\x00", "zst": b"\x28\xb5\x2f\xfd"}
_PACKING_ERRORS = (EOFError, OSError, ValueError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, NotImplementedError)


@dataclass(frozen=True)
class Stream:
    """An open source: `bytes` are the unpacked ones, `position()` counts up to `Source.size`."""

    source: Source
    bytes: IO[bytes]
    compression: str | None
    position: Callable[[], int]
    opened_as: os.stat_result

    def check_unchanged(self) -> None:
        """Raise InputError dataset_changed when the file is not any more what it was when it was opened."""
        path = self.source.path
        try:
            now = path.stat()
        except OSError:
            raise InputError("dataset_changed", path=self.source.name) from None
        if _identity(now) != _identity(self.opened_as):
            raise InputError("dataset_changed", path=self.source.name)


@contextmanager
def opened(source: Source) -> Iterator[Stream]:
    """Open a source; raises InputError: file_unreadable, dataset_archive_broken, dataset_bomb while it is read."""
    with ExitStack() as stack:
        try:
            raw = stack.enter_context(open(source.path, "rb", buffering=CHUNK))
        except OSError as error:
            raise unreadable(source.path, error) from error
        about = os.fstat(raw.fileno())
        inner: Any = raw
        if source.member:
            inner = stack.enter_context(_member(raw, source))
        compression = _compression(inner)
        position = inner.tell
        if compression:
            inner = _unpacker(inner, compression)
        if inner is not raw:
            inner = io.BufferedReader(_Watched(inner, source, raw), CHUNK)
        yield Stream(source, inner, compression or ("zip" if source.member else None), position, about)


@contextmanager
def seekable(stream: Stream) -> Iterator[IO[bytes]]:
    """The bytes as a file that can be read from any place; unpacked to a temporary file where they have to be."""
    if not stream.compression:
        yield stream.bytes
        return
    import shutil
    import tempfile

    with tempfile.TemporaryFile() as file:
        shutil.copyfileobj(stream.bytes, file, CHUNK)
        file.seek(0)
        yield file


def _member(raw: IO[bytes], source: Source) -> IO[bytes]:
    try:
        return zipfile.ZipFile(raw).open(source.member)
    except KeyError:
        raise InputError("dataset_changed", path=source.name) from None
    except (*_PACKING_ERRORS, RuntimeError) as error:
        raise unreadable(source.path, error) from error


def _compression(file: Any) -> str | None:
    try:
        start = file.peek(6)[:6]
    except _PACKING_ERRORS as error:
        raise unreadable(Path(getattr(file, "name", "")), error) from error
    return next((name for name, magic in _MAGIC.items() if start.startswith(magic)), None)


def _unpacker(file: Any, compression: str) -> Any:
    if compression == "gz":
        return gzip.GzipFile(fileobj=file)
    if compression == "xz":
        return lzma.LZMAFile(file)
    import pyarrow

    return pyarrow.CompressedInputStream(pyarrow.PythonFile(file, "r"), "zstd")


class _Watched(io.RawIOBase):
    """Unpacked bytes, counted; what goes wrong in unpacking becomes an InputError."""

    def __init__(self, inner: Any, source: Source, raw: IO[bytes]) -> None:
        self.inner, self.source, self.raw, self.given = inner, source, raw, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self.inner.read(len(buffer))
            read = self.raw.tell()
        except _PACKING_ERRORS as error:
            raise unreadable(self.source.path, error) from error
        self.given += len(data)
        check_bomb(self.source.name, read, self.given)
        buffer[:len(data)] = data
        return len(data)


def _identity(about: os.stat_result) -> tuple[int, ...]:
    return about.st_ino, about.st_size, about.st_mtime_ns
