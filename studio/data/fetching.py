"""Datasets brought from a hub by their name: data files alone, never code or pickles, into `data/hub/<hub>/`."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from studio.data import catalogue_parts, reading
from studio.data.reading import Source
from studio.errors import InputError, WorkError
from studio.plugins import kinds, plugin
from studio.plugins.hubs import HubFile
from studio.records import read_json, write_json
from studio.workspace import Workspace

RECORD = ".fetched.json"
README = "README.md"
Progress = Callable[[int, int], None]
Stop = Callable[[], bool]
_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?")
_PAGES = re.compile(r"https?://[^/]*?(huggingface|hf-mirror|modelscope)[^/]*/datasets/([\w.-]+(?:/[\w.-]+)?)")


def hubs() -> tuple[str, ...]:
    """The hubs that bring datasets."""
    return tuple(name for name in kinds("hubs") if hasattr(plugin("hubs", name), "dataset_files"))


def named(said: str) -> tuple[str, str] | None:
    """(hub, or "" for any, and name) of what somebody pasted: `owner/name` or the address of a dataset's page.

    None for what can be neither.
    """
    said = said.strip()
    page = _PAGES.match(said)
    if page:
        return ("modelscope" if page[1] == "modelscope" else "huggingface"), page[2]
    return ("", said) if _NAME.fullmatch(said) and ".." not in said else None


def folder_of(name: str, hub: str, workspace: Workspace) -> Path:
    """Where a dataset of a hub lies when it is here; raises InputError hub_name, hub_kind."""
    if hub not in hubs():
        raise InputError("hub_kind", value=hub, known=list(hubs()))
    if not _NAME.fullmatch(name) or ".." in name:
        raise InputError("hub_name", name=name)
    return workspace.data / "hub" / hub / name.replace("/", "--")


def local(name: str, hub: str, workspace: Workspace, subset: str = "", folder: str = "",
          split: str = "") -> Path | None:
    """The folder of a dataset that was fetched, with these parts of it at least; None when they are not here."""
    if hub not in hubs() or not _NAME.fullmatch(name):
        return None
    here = folder_of(name, hub, workspace)
    parts = (read_json(here / RECORD) or {}).get("parts", [])
    return here if [subset, folder, split] in parts or ["", "", ""] in parts else None


def fetch_dataset(name: str, hub: str, workspace: Workspace, on_progress: Progress | None = None,
                  should_stop: Stop | None = None, *, subset: str = "", folder: str = "", split: str = "",
                  revision: str = "") -> Path:
    """Bring a dataset, or these parts of it, and return its folder; what is here already is not asked for again.

    `on_progress(done, total)` hears bytes. A download that broke off goes on where it stopped. Raises InputError
    hub_name, hub_kind, hub_dataset_unknown, hub_dataset_gated, hub_dataset_script (it is code), hub_dataset_empty,
    hub_path, dataset_parts; WorkError hub_dataset_unreachable, hub_dataset_offline, hub_damaged, disk_full; StopAsked.
    """
    here = folder_of(name, hub, workspace)
    if local(name, hub, workspace, subset, folder, split):
        return here
    source, part = plugin("hubs", hub), here.with_name(here.name + ".part")
    revision, listed = _listed(source, name, revision or source.REVISION)
    card = [one for one in listed if one.path == README]
    try:
        with _alone(name, part):
            if card:
                source.fetch_files(name, revision, part, card, None, should_stop)
            wanted = _wanted(name, listed, part, subset, folder, split)
            missing = [one for one in wanted if not _is_here(here, one)]
            _check_space(here, sum(one.size for one in missing))
            if missing:
                source.fetch_files(name, revision, part, missing, on_progress, should_stop)
            _move(part, here, [*card, *missing])
            _write_down(here, name, hub, revision, wanted, [subset, folder, split])
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise WorkError("disk_refuses", path=str(here), reason=error.strerror or str(error)) from error
    return here


@contextmanager
def _alone(name: str, part: Path) -> Iterator[None]:
    """No other process fetches the same meanwhile; raises WorkError hub_busy when one does."""
    part.mkdir(parents=True, exist_ok=True)
    handle = os.open(part, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise WorkError("hub_busy", name=name) from None
    finally:
        os.close(handle)


def _listed(source: Any, name: str, revision: str) -> tuple[str, list[HubFile]]:
    """The revision and its files, or the hub's own conversion of a dataset that is nothing but code."""
    listed = source.dataset_files(name, revision)
    converted = getattr(source, "CONVERTED", "")
    if converted and not any(_is_data(one) for one in listed) and any(one.path.endswith(".py") for one in listed):
        try:
            return converted, source.dataset_files(name, converted)
        except InputError:
            raise InputError("hub_dataset_script", name=name) from None
    return revision, listed


def _wanted(name: str, listed: Sequence[HubFile], root: Path, subset: str, folder: str, split: str) -> list[HubFile]:
    """The data files that are meant, none of which may lead out of the folder they are put into."""
    data = {one.path: one for one in listed if _is_data(one)}
    if not data:
        code = "hub_dataset_script" if any(one.path.endswith(".py") for one in listed) else "hub_dataset_empty"
        raise InputError(code, name=name, found=[one.path for one in listed if one.path != ".gitattributes"][:8])
    for path in data:
        if path.startswith("/") or "\\" in path or ".." in PurePosixPath(path).parts:
            raise InputError("hub_path", name=name, path=path)
    if not (subset or folder or split):
        return list(data.values())
    found = catalogue_parts.chosen([Source(root / path, folder=root) for path in data], root, subset, folder, split,
                                   distant=True)
    if not found:
        raise InputError("dataset_parts", name=name, value=", ".join(one for one in (subset, folder, split) if one),
                         known=list(data)[:12])
    return [data[one.name] for one in found]


def _is_data(file: HubFile) -> bool:
    return reading.holds_rows(PurePosixPath(file.path).name)


def _is_here(folder: Path, file: HubFile) -> bool:
    path = folder / file.path
    return path.is_file() and path.stat().st_size == file.size


def _check_space(here: Path, needed: int) -> None:
    here.parent.mkdir(parents=True, exist_ok=True)
    if shutil.disk_usage(here.parent).free < needed:
        raise WorkError("disk_full", path=str(here.parent))


def _move(part: Path, here: Path, files: Sequence[HubFile]) -> None:
    here.mkdir(parents=True, exist_ok=True)
    for one in files:
        if (part / one.path).is_file():
            (here / one.path).parent.mkdir(parents=True, exist_ok=True)
            (part / one.path).replace(here / one.path)


def _write_down(here: Path, name: str, hub: str, revision: str, files: Sequence[HubFile], parts: list[str]) -> None:
    """Say last what is here: without this record the dataset counts as not fetched."""
    known = read_json(here / RECORD) or {}
    write_json(here / RECORD, {
        "name": name, "hub": hub, "revision": revision, "parts": [*known.get("parts", []), parts],
        "files": known.get("files", {}) | {one.path: one.size for one in files}})
