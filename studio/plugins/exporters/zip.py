"""One archive of any other form, checked after it was written; larger than 4 GB, too."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Any

from studio.args.fields import Group, Text, arg
from studio.errors import Problem, WorkError
from studio.plugins.exporters import _held, exporter

ORDER = 80
TAKES = _held.EVERY_KIND
HOLDS = ("merged", "adapter", "full", "prefix", "gguf", "ollama", "quantized", "onnx", "server")
BESIDE = ("acceptance.json", "README.md", "README_zh.md", "curves.svg", "curves_zh.svg")
_BLOCK = 1 << 20
_UNFINISHED = ".written"


class ZipArguments(Group):
    """What is in the archive."""

    group = "export"

    zip_form: Text = arg("merged", choices=HOLDS, basic=True)
    zip_compress: bool = arg(False)


Arguments = ZipArguments


def inside(spec: Any) -> str:
    """The form that is put into the archive."""
    return str(spec.zip_form)


def size(source: Any, spec: Any) -> int:
    """About the bytes of the form inside: weights hardly get smaller."""
    return int(exporter(inside(spec)).size(source, spec))


def memory(source: Any, spec: Any) -> int:
    """What the form inside takes."""
    return _held.memory(exporter(inside(spec)), source, spec)


def refuse(source: Any, spec: Any) -> list[Problem]:
    """What the form inside cannot be made of."""
    return _held.refuse(exporter(inside(spec)), source, spec)


def write(work: Any) -> None:
    """Write the form inside; for a moment it lies beside its archive, so there must be room for both.

    Raises WorkError disk_short.
    """
    _held.room(work.into, 2 * size(work.source, work.spec))
    _held.write(exporter(inside(work.spec)), work)


def opened(folder: Path) -> Path:
    """Where the form inside lies before it is packed."""
    return folder


def commands(work: Any) -> dict[str, list[str]]:
    """How to unpack it; inside, the card says the rest."""
    return {"unzip": [f"unzip {name(work)}.zip"]}


def pack(work: Any) -> None:
    """Put everything into one archive below one folder, see that it reads back, and drop what is in it.

    Card and verdict stay readable beside it. Raises WorkError zip_damaged, StopAsked.
    """
    files = sorted(path for path in work.into.rglob("*") if path.is_file() and _belongs(path, work))
    total = 2 * sum(path.stat().st_size for path in files)
    archive = work.into / f"{name(work)}.zip"
    part = archive.with_suffix(".zip.part")
    done, seen = 0, {}
    with zipfile.ZipFile(part, "w", allowZip64=True) as packed:
        for path in files:
            inner = path.relative_to(work.into).as_posix()
            done, seen[f"{name(work)}/{inner}"] = _put(packed, path, f"{name(work)}/{inner}", work, done, total)
    _check(part, seen, work, done, total)
    (work.into / _UNFINISHED).unlink(missing_ok=True)  # half removed it is no export: begun anew, not gone on with
    part.rename(archive)
    for path in files:
        if path.relative_to(work.into).as_posix() not in BESIDE:
            path.unlink()
    for folder in sorted((path for path in work.into.rglob("*") if path.is_dir()), reverse=True):
        folder.rmdir()


def name(work: Any) -> str:
    """What archive and folder in it are called: the source and the form."""
    source = work.source
    step = f"-step-{source.step}" if source.step is not None and f"step-{source.step}" not in source.name else ""
    return f"{_held.named(source.name)}{step}-{inside(work.spec)}"


def _belongs(path: Path, work: Any) -> bool:
    """Whether a file aside is one of the export, not of its making or of an archive that was broken off."""
    return path.name != _UNFINISHED and not (path.parent == work.into and path.name.endswith((".zip", ".zip.part")))


def _put(packed: zipfile.ZipFile, path: Path, inner: str, work: Any, done: int, total: int) -> tuple[int, str]:
    """Stream one file into the archive: (bytes done, its sha256)."""
    about = zipfile.ZipInfo.from_file(path, inner, strict_timestamps=False)
    about.compress_type = zipfile.ZIP_DEFLATED if work.spec.zip_compress else zipfile.ZIP_STORED
    made = hashlib.sha256()
    with open(path, "rb") as file, packed.open(about, "w") as out:
        while block := file.read(_BLOCK):
            work.stay()
            made.update(block)
            out.write(block)
            done += len(block)
            work.tell(done, total, inner)
    return done, made.hexdigest()


def _check(part: Path, seen: dict[str, str], work: Any, done: int, total: int) -> None:
    """Read the archive back, file by file; raises WorkError zip_damaged."""
    with zipfile.ZipFile(part) as packed:
        if sorted(packed.namelist()) != sorted(seen):
            raise WorkError("zip_damaged", path=part.name, file=part.name)
        for inner, wanted in seen.items():
            made = hashlib.sha256()
            try:
                with packed.open(inner) as file:
                    while block := file.read(_BLOCK):
                        work.stay()
                        made.update(block)
                        done += len(block)
                        work.tell(done, total, inner)
            except zipfile.BadZipFile:
                raise WorkError("zip_damaged", path=part.name, file=inner) from None
            if made.hexdigest() != wanted:
                raise WorkError("zip_damaged", path=part.name, file=inner)
