"""What a source is, from its bytes more than from its name: kind, packing, encoding, how its table is written."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

from studio.data.reading import encoding, prose, tables
from studio.data.reading.source import KINDS, Source
from studio.data.reading.stream import Stream, opened
from studio.errors import InputError

HEAD = 1 << 20
_BINARY = {"parquet": b"PAR1", "arrow": b"ARROW1"}
# Old Excel and Word files, pictures, programs, archives: never text, whatever they are called.
_FOREIGN = (b"\xd0\xcf\x11\xe0", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"MZ", b"\x7fELF", b"%PDF")
_LINES_LOOKED_AT = 20


@dataclass(frozen=True)
class Facts:
    """What a source is.

    `kind` is json (one array, or values one after the other), jsonl, csv, tsv, xlsx, parquet, arrow, txt or md, told
    by the content; `encoding` is None for what is no text, `compression` (gz xz zst zip) and `delimiter` where there
    is none. `header` is False for a table without a line of names. `paragraphs` says that blank lines part a text.
    """

    kind: str
    encoding: str | None = None
    compression: str | None = None
    delimiter: str | None = None
    header: bool = True
    quoted: bool = True
    paragraphs: bool = False
    suffix: str = ""

    @property
    def is_misnamed(self) -> bool:
        """Whether the name says another kind: a json file that holds a table, say; jsonl under json is usual."""
        return self.suffix != f".{self.kind}" and {self.suffix, self.kind} != {".json", "jsonl"}

    @property
    def spelling(self) -> tables.Spelling:
        """How the table is written."""
        return tables.Spelling(self.delimiter or ",", self.quoted, self.header)


def describe(source: Source) -> Facts:
    """What a source is; raises InputError dataset_file_type, dataset_encoding, and what opening it raises."""
    if source.suffix not in KINDS:
        raise InputError("dataset_file_type", path=source.name, kinds=", ".join(KINDS))
    with opened(source) as stream:
        kind = _binary(stream)
        if kind:
            return Facts(kind, None, stream.compression, suffix=source.suffix)
        if source.suffix[1:] in ("xlsx", *_BINARY):
            if not stream.bytes.peek(1):  # type: ignore[attr-defined]
                return Facts(source.suffix[1:], None, stream.compression, suffix=source.suffix)
            raise InputError("dataset_file_type", path=source.name, kinds=", ".join(KINDS))
        known = encoding.recognised(stream.bytes, source.name)
    with opened(source) as stream:
        return _text(encoding.as_text(encoding.in_utf8(stream.bytes, known)).read(HEAD), known, stream)


def _binary(stream: Stream) -> str | None:
    """The kind of a file that is no text, by how it begins; running text may begin with any letters."""
    start, suffix = stream.bytes.peek(512)[:512], stream.source.suffix  # type: ignore[attr-defined]
    if start[257:262] == b"ustar" or _is_foreign(start, suffix):
        raise InputError("dataset_file_type", path=stream.source.name, kinds=", ".join(KINDS))
    if suffix in (".txt", ".md"):
        return None
    if start.startswith(b"PK\x03\x04"):
        return "xlsx"
    if start.startswith(b"\xff\xff\xff\xff") and suffix == ".arrow":
        return "arrow"
    return next((kind for kind, magic in _BINARY.items() if start.startswith(magic)), None)


def _is_foreign(start: bytes, suffix: str) -> bool:
    """Whether a file is of a kind that holds no rows; a zip is one only where a text is promised."""
    if start.startswith(b"PK\x03\x04"):
        return suffix in (".txt", ".md")
    return start.startswith(_FOREIGN) and (b"\0" in start or start.startswith(b"%PDF-"))


def _text(head: str, known: str, stream: Stream) -> Facts:
    suffix, packed = stream.source.suffix, stream.compression
    whole = len(head) < HEAD
    if suffix in (".txt", ".md"):
        return Facts(suffix[1:], known, packed, paragraphs=prose.has_paragraphs(head), suffix=suffix)
    kind = _json(head, suffix)
    if kind:
        return Facts(kind, known, packed, suffix=suffix)
    spelling = tables.recognised(head[:tables.SAMPLE], suffix, whole and len(head) <= tables.SAMPLE)
    if suffix in (".json", ".jsonl") and not spelling.is_sure:
        return Facts(suffix[1:], known, packed, suffix=suffix)
    kind = "tsv" if spelling.delimiter == "\t" else "csv"
    return Facts(kind, known, packed, spelling.delimiter, spelling.header, spelling.quoted, suffix=suffix)


def _json(head: str, suffix: str) -> str | None:
    """json or jsonl when a text is one of them, None when it begins like neither."""
    lines = [line for line in io.StringIO(head) if line.strip()][:_LINES_LOOKED_AT]
    if not lines:
        return suffix[1:] if suffix in (".json", ".jsonl") else None
    named_table = suffix in (".csv", ".tsv")
    first = lines[0].lstrip("\ufeff").lstrip()
    if first.startswith("["):
        if suffix == ".jsonl" and len(lines) > 1 and _whole(first) and _whole(lines[1]):
            return "jsonl"
        return "json" if not named_table or "{" in "".join(lines[:2]) else None
    if named_table:
        return "jsonl" if first.startswith("{") and _whole(first) else None
    if _whole(first) or any(_whole(line) for line in lines if line.startswith("{")):
        return "jsonl"
    if first.startswith("{"):
        return "jsonl" if suffix == ".jsonl" and not _begins_whole(head) else "json"
    return None


def _whole(line: str) -> bool:
    """Whether a line is a whole JSON object or list."""
    try:
        return isinstance(json.loads(line), dict | list)
    except (ValueError, RecursionError):
        return False


def _begins_whole(head: str) -> bool:
    """Whether a text begins with a whole JSON object, over however many lines."""
    try:
        json.JSONDecoder().raw_decode(head.lstrip("\ufeff \t\r\n"))
    except (ValueError, RecursionError):
        return False
    return True
