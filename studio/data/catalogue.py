"""The catalogue of datasets: `dataset_info.json` as LLaMA-Factory and ChatGLM-Efficient-Tuning write it.

The user's own catalogue comes first, then data files beside it that no entry names, then the shipped samples.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.data import reading
from studio.errors import InputError
from studio.workspace import Workspace

CATALOGUE = "dataset_info.json"
ELSEWHERE = ("hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name")


@dataclass(frozen=True)
class Entry:
    """One dataset of the catalogue; `path` is a file or a folder of files, None when it is not on this disk.

    `remote` is the hub name or script of an entry without a file; `columns` and `tags` are the catalogue's words for
    the format's reader, `formatting` is None when the rows are to be looked at.
    """

    name: str
    path: Path | None
    formatting: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    ranking: bool = False
    shipped: bool = False
    num_samples: int | None = None
    remote: str | None = None


class Catalogue:
    """All datasets that a run can name; raises InputError catalogue_broken for a dataset_info.json that is not JSON."""

    def __init__(self, workspace: Workspace, dataset_dir: str | Path | None = None) -> None:
        self.folder = Path(dataset_dir).expanduser() if dataset_dir else workspace.data
        if dataset_dir and not self.folder.is_dir() and (workspace.root / self.folder).is_dir():
            self.folder = workspace.root / self.folder
        if dataset_dir and not self.folder.is_dir():
            raise InputError("dataset_dir_missing", path=str(dataset_dir))
        shipped = _entries(workspace.shipped_data, shipped=True)
        same = self.folder.resolve() == workspace.shipped_data.resolve()
        own = {} if same else {**_entries(self.folder, shipped=False), **_uncatalogued(self.folder)}
        self._entries = {**own, **{name: entry for name, entry in shipped.items() if name not in own}}
        if same:
            self._entries |= {name: entry for name, entry in _uncatalogued(self.folder).items() if name not in shipped}

    def entries(self) -> list[Entry]:
        """Every dataset, the user's own first, in the order of the catalogue."""
        return list(self._entries.values())

    def entry(self, name: str) -> Entry:
        """The dataset of this name, which must be a file on this disk.

        Raises InputError: dataset_unknown (with the nearest name), dataset_remote, dataset_outside, dataset_missing.
        """
        found = self._entries.get(name)
        if found is None:
            near = difflib.get_close_matches(name, self._entries, 1, 0.4)
            code = "dataset_unknown_near" if near else "dataset_unknown"
            raise InputError(code, name=name, nearest=near[0] if near else "", known=sorted(self._entries)[:20])
        if found.path is None:
            raise InputError("dataset_remote", name=name, remote=found.remote or "")
        folder = found.path.parent if found.shipped else self.folder
        if not found.shipped and not _inside(found.path, folder):
            raise InputError("dataset_outside", name=name, path=str(found.path), folder=str(folder))
        if not found.path.exists():
            raise InputError("dataset_missing", name=name, path=str(found.path))
        return found


def count_rows(entry: Entry) -> int:
    """How many rows the dataset's files hold, usable or not; remembered until a file changes."""
    if entry.path is None:
        return 0
    return sum(_counted(path, stat.st_mtime_ns, stat.st_size)
               for path in reading.files(entry.path) for stat in [path.stat()])


@lru_cache(maxsize=256)
def _counted(path: Path, changed: int, size: int) -> int:
    return sum(1 for _ in reading.rows(path))


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _entries(folder: Path, shipped: bool) -> dict[str, Entry]:
    path = folder / CATALOGUE
    try:
        listed = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise InputError("file_unreadable", path=str(path), reason=error.strerror or str(error)) from error
    except ValueError as error:
        line, reason = getattr(error, "lineno", 1), getattr(error, "msg", str(error))
        raise InputError("catalogue_broken", path=str(path), line=line, reason=reason) from error
    if not isinstance(listed, dict):
        raise InputError("catalogue_broken", path=str(path), line=1, reason=type(listed).__name__)
    return {name: _entry(folder, name, about, shipped) for name, about in listed.items() if isinstance(about, dict)}


def _entry(folder: Path, name: str, about: Mapping[str, Any], shipped: bool) -> Entry:
    file_name = about.get("file_name")
    remote = next((str(about[key]) for key in ELSEWHERE if about.get(key)), None)
    return Entry(name, folder / str(file_name) if file_name and not remote else None,
                 formatting=str(about["formatting"]) if about.get("formatting") else None,
                 columns=_words(about.get("columns")), tags=_words(about.get("tags")),
                 ranking=bool(about.get("ranking")), shipped=shipped,
                 num_samples=about["num_samples"] if isinstance(about.get("num_samples"), int) else None, remote=remote)


def _words(value: Any) -> dict[str, str]:
    return {str(key): word for key, word in value.items() if isinstance(word, str)} if isinstance(value, dict) else {}


def _uncatalogued(folder: Path) -> dict[str, Entry]:
    """Data files at the top of the folder that no entry names, under their name without the ending."""
    if not folder.is_dir():
        return {}
    named = {entry.path.name for entry in _entries(folder, shipped=False).values() if entry.path}
    taken = set(_entries(folder, shipped=False))
    found = [path for path in reading.files(folder) if path.name not in named and path.name != CATALOGUE]
    return {path.stem: Entry(path.stem, path) for path in found if path.stem not in taken}
