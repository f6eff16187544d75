"""Which encoding a text is in, and the text in UTF-8 whatever it was."""

from __future__ import annotations

import codecs
import io
from typing import IO, Any

from studio.errors import InputError

CHUNK = 1 << 20
SAMPLE = 1 << 20
SEARCHED = 64 << 20
# What stands for bytes that are not of the encoding: half a surrogate pair, which no honest text holds.
MARK = "\udcff"
_BOMS = {"utf-8-sig": codecs.BOM_UTF8, "utf-32": codecs.BOM_UTF32_LE, "utf-16": codecs.BOM_UTF16_LE,
         "utf-16 ": codecs.BOM_UTF16_BE}
# Shares of the characters beyond ASCII, and of all of them, that may be wrong. Text of other encodings is wrong nearly
# everywhere as UTF-8, and half of the time as GB18030.
_DAMAGED, _MUCH_DAMAGED, _DAMAGED_OF_ALL = 0.05, 0.5, 0.02
codecs.register_error("studio.mark", lambda error: (MARK, error.end))  # type: ignore[attr-defined]


def recognised(file: IO[bytes], name: str) -> str:
    """The encoding of a text, looked for from where its first character beyond ASCII stands.

    A text with a few damaged places is still of its encoding. Raises InputError dataset_encoding.
    """
    sample = file.read(CHUNK)
    for encoding, bom in _BOMS.items():
        if sample.startswith(bom):
            return encoding.strip()
    wide = _wide(sample)
    if wide:
        return wide
    read = len(sample)
    while sample.isascii() and read < SEARCHED:
        sample = file.read(CHUNK)
        if not sample:
            return "utf-8"
        read += len(sample)
    sample += file.read(SAMPLE)
    beyond, wrong = _damage(sample, "utf-8")
    if wrong <= _DAMAGED * beyond:
        return "utf-8"
    beyond_too, wrong_too = _damage(sample, "gb18030")
    if wrong_too <= _DAMAGED * beyond_too:
        return "gb18030"
    if wrong <= _MUCH_DAMAGED * beyond or wrong <= _DAMAGED_OF_ALL * len(sample):
        return "utf-8"
    raise InputError("dataset_encoding", path=name)


def in_utf8(file: IO[bytes], encoding: str) -> IO[bytes]:
    """The text in UTF-8 without a mark in front; damaged bytes stay such as no UTF-8 has."""
    if encoding == "utf-8-sig":
        file.read(len(codecs.BOM_UTF8))
        return file
    return file if encoding == "utf-8" else io.BufferedReader(_Recoded(file, encoding), CHUNK)


def as_text(file: IO[bytes]) -> IO[str]:
    """UTF-8 bytes as characters, line ends as they are, MARK where bytes are damaged."""
    return io.TextIOWrapper(file, "utf-8", "studio.mark", newline="")


def _wide(sample: bytes) -> str | None:
    """UTF-16 without a mark, known by the zero byte that one side of its ASCII characters has.

    A text of other encodings with zero bytes in it is not: its zeros are few, and the rest reads as UTF-8.
    """
    start = sample[:8192]
    zeros = [start[side::2].count(0) for side in (0, 1)]
    for side, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if zeros[1 - side] or zeros[side] < 2 or zeros[side] < len(start) * 0.01:
            continue
        beyond, wrong = _damage(start, "utf-8")
        if zeros[side] > len(start) * 0.12 or wrong > _DAMAGED * beyond:
            return encoding
    return None


def _damage(sample: bytes, encoding: str) -> tuple[int, int]:
    """How many characters beyond ASCII there are and how many of them are not of the encoding.

    The last may be cut in half.
    """
    text = codecs.getincrementaldecoder(encoding)("studio.mark").decode(sample)
    return len(text) - len(text.encode("ascii", "ignore")), text.count(MARK)


class _Recoded(io.RawIOBase):
    """Bytes of one encoding read as bytes of UTF-8."""

    def __init__(self, file: IO[bytes], encoding: str) -> None:
        self.file, self.decoder = file, codecs.getincrementaldecoder(encoding)("studio.mark")
        self.waiting = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self.waiting:
            chunk = self.file.read(CHUNK >> 2)
            self.waiting = self.decoder.decode(chunk, final=not chunk).encode("utf-8", "surrogatepass")
            if not chunk:
                break
        given, self.waiting = self.waiting[:len(buffer)], self.waiting[len(buffer):]
        buffer[:len(given)] = given
        return len(given)
