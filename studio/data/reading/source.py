"""What is to be read at a path, in order: a file, the files of a folder, the members of a zip."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from studio.errors import InputError

KINDS = (".json", ".jsonl", ".csv", ".tsv", ".xlsx", ".parquet", ".arrow", ".txt", ".md")
PACKED = (".gz", ".xz", ".zst")
ARCHIVE = ".zip"
# Files beside data that are about the data: registries, cards, licences.
ABOUT = {"dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json", "readme", "license", "licence",
         "notice", "changelog", "copying", "requirements.txt"}
# A zip may unpack to this much without question, and beyond it to so many times its own size.
FREE_BYTES = 256 << 20
MOST_TIMES = 250


@dataclass(frozen=True)
class Source:
    """One file of rows: a file on this disk or, when `member` is given, a file inside the zip at `path`.

    `folder` is the folder that was asked for, from which the name is told.
    """

    path: Path
    member: str = ""
    folder: Path | None = field(default=None, compare=False)

    @property
    def name(self) -> str:
        """How it is called in sentences: `x.json`, `part/x.json` inside a folder, `x.zip/inner.csv`."""
        name = self.path.relative_to(self.folder).as_posix() if self.folder else self.path.name
        return f"{name}/{self.member}" if self.member else name

    @property
    def size(self) -> int:
        """How many bytes `at` counts up to: those on the disk, or unpacked for a member; raises InputError."""
        try:
            if not self.member:
                return self.path.stat().st_size
            with zipfile.ZipFile(self.path) as archive:
                return archive.getinfo(self.member).file_size
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise unreadable(self.path, error) from error

    @property
    def suffix(self) -> str:
        """The ending that names the kind, what it is packed with left out: `.csv` of `x.csv.gz`."""
        return suffix(self.member or self.path.name)


def suffix(name: str) -> str:
    """The ending that names the kind, what it is packed with left out: `.csv` of `x.csv.gz`."""
    inner = PurePosixPath(name.lower())
    return (inner.with_suffix("") if inner.suffix in PACKED else inner).suffix


def sources(path: Path) -> list[Source]:
    """What is to be read at a path, in order of names: a file, the files of a folder at any depth, those of a zip.

    Raises InputError: file_unreadable, dataset_link_outside, dataset_archive_broken, dataset_archive_escape,
    dataset_archive_locked, dataset_bomb.
    """
    folder = path if path.is_dir() else None
    return [source for file in (_below(path) if folder else [path]) for source in _in_file(file, folder)]


def files(path: Path) -> list[Path]:
    """The data files at a path: the file itself, or those at the top of a folder in the order of their names."""
    if path.is_dir():
        return sorted(found for found in path.iterdir() if found.is_file() and holds_rows(found.name))
    return [path]


def holds_rows(name: str) -> bool:
    """Whether a file of this name is data: of a kind that is read, and no registry, card or licence."""
    plain = PurePosixPath(name.lower())
    if plain.name.startswith((".", "~$")) or plain.name in ABOUT or plain.name.partition(".")[0] in ABOUT:
        return False
    return suffix(plain.name) in KINDS or plain.suffix == ARCHIVE


def left_out(path: Path) -> list[str]:
    """The names of the files in a folder or zip that are not read, because they are of no kind that holds rows."""
    if path.is_dir():
        return [file.relative_to(path).as_posix() for file in _walk(path) if not holds_rows(file.name)]
    if path.suffix.lower() == ARCHIVE:
        with _archive(path) as archive:
            return [one.filename for one in archive.infolist() if not one.is_dir() and not _is_data(one)]
    return []


def unreadable(path: Path, error: Exception) -> InputError:
    """The error of a file that cannot be opened or unpacked."""
    if isinstance(error, OSError) and error.errno:
        return InputError("file_unreadable", path=str(path), reason=error.strerror or str(error))
    return InputError("dataset_archive_broken", path=path.name, reason=str(error) or type(error).__name__)


def check_bomb(name: str, packed: int, unpacked: int) -> None:
    """Raise InputError dataset_bomb when so few bytes would become so many."""
    if unpacked > FREE_BYTES and unpacked > MOST_TIMES * max(packed, 1):
        raise InputError("dataset_bomb", path=name, times=MOST_TIMES)


def _below(folder: Path) -> Iterator[Path]:
    root = folder.resolve()
    for file in _walk(folder):
        if not holds_rows(file.name):
            continue
        if not file.resolve().is_relative_to(root):
            raise InputError("dataset_link_outside", path=file.relative_to(folder).as_posix(), folder=str(folder))
        yield file


def _walk(folder: Path) -> Iterator[Path]:
    """Every file below a folder in the order of names; hidden ones, and folders that are links, are passed by."""
    try:
        found = sorted(os.scandir(folder), key=lambda one: one.name)
    except OSError as error:
        raise unreadable(folder, error) from error
    for one in found:
        if one.name.startswith(".") or one.name == "__MACOSX":
            continue
        if one.is_dir(follow_symlinks=False):
            yield from _walk(Path(one.path))
        elif one.is_dir():
            raise InputError("dataset_link_outside", path=one.name, folder=str(folder))
        else:
            yield Path(one.path)


def _in_file(path: Path, folder: Path | None) -> Iterator[Source]:
    if path.suffix.lower() != ARCHIVE:
        yield Source(path, folder=folder)
        return
    with _archive(path) as archive:
        members = archive.infolist()
    for one in members:
        _check_member(path, one)
    check_bomb(path.name, sum(one.compress_size for one in members), sum(one.file_size for one in members))
    for one in sorted(members, key=lambda one: one.filename):
        if not one.is_dir() and _is_data(one):
            yield Source(path, one.filename, folder)


def _archive(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, NotImplementedError) as error:
        raise unreadable(path, error) from error


def _check_member(path: Path, member: zipfile.ZipInfo) -> None:
    """Refuse what no honest archive of data holds, although nothing is ever unpacked to where a member says."""
    name = member.orig_filename.replace("\\", "/")
    parts = PurePosixPath(name).parts
    if name.startswith("/") or ".." in parts or (len(name) > 1 and name[1] == ":"):
        raise InputError("dataset_archive_escape", path=path.name, member=member.orig_filename)
    if stat.S_ISLNK(member.external_attr >> 16):
        raise InputError("dataset_archive_link", path=path.name, member=member.filename)
    if member.flag_bits & 0x1:
        raise InputError("dataset_archive_locked", path=path.name)


def _is_data(member: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(member.filename)
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in name.parts)
    return not hidden and holds_rows(name.name) and name.suffix.lower() != ARCHIVE
