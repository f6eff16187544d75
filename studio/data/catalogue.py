"""The catalogue of datasets: `dataset_info.json` as LLaMA-Factory and ChatGLM-Efficient-Tuning write it.

The user's own catalogue comes first, then data files beside it that no entry names, then the shipped samples.
"""

from __future__ import annotations

import difflib
import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from studio.data import catalogue_file, catalogue_parts, reading
from studio.data.reading import Source
from studio.errors import InputError
from studio.workspace import Workspace

CATALOGUE = catalogue_file.NAME
VERSIONS, ROWS = "versions", "rows.jsonl"
HUBS = {"hf_hub_url": "huggingface", "ms_hub_url": "modelscope", "om_hub_url": "modelers"}
SCRIPT, CLOUD = "script_url", "cloud_file_name"
Tell = Callable[[int, int], None]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Entry:
    """One dataset of the catalogue; `path` is a file or a folder of files, None when it is not on this disk.

    `columns` and `tags` are the catalogue's words for the format's reader, `formatting` is None when the rows are to
    be looked at. `hubs` has its name on every hub that has it; `remote` is the first of these, or the script or cloud
    address of an entry without a file. `subset`, `folder` and `split` say which of its files are meant. `about` is the
    entry as it stands in the file.
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
    hubs: Mapping[str, str] = field(default_factory=dict)
    subset: str = ""
    folder: str = ""
    split: str = ""
    sha1: str = ""
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Away:
    """A set that was put away: its entry if it had one, its file's name if that lay at the top, and where it lies."""

    name: str
    about: Mapping[str, Any] | None
    file: str
    path: str


class Catalogue:
    """All datasets that a run can name; raises InputError catalogue_broken for a dataset_info.json that is not JSON."""

    def __init__(self, workspace: Workspace, dataset_dir: str | Path | None = None) -> None:
        self.workspace = workspace
        self.folder = Path(dataset_dir).expanduser() if dataset_dir else workspace.data
        if dataset_dir and not self.folder.is_dir() and (workspace.root / self.folder).is_dir():
            self.folder = workspace.root / self.folder
        if dataset_dir and not self.folder.is_dir():
            raise InputError("dataset_dir_missing", path=str(dataset_dir))
        self._same = self.folder.resolve() == workspace.shipped_data.resolve()
        self._listed = catalogue_file.read(self.folder / CATALOGUE)
        own = _entries(self.folder, self._listed, shipped=self._same)
        shipped = {} if self._same else _entries(
            workspace.shipped_data, catalogue_file.read(workspace.shipped_data / CATALOGUE), shipped=True)
        loose = _uncatalogued(self.folder, own)
        self._entries = {**own, **loose, **{name: one for name, one in shipped.items() if name not in own | loose}}

    def entries(self) -> list[Entry]:
        """Every dataset, the user's own first, in the order of the catalogue."""
        return list(self._entries.values())

    def entry(self, name: str) -> Entry:
        """The dataset of this name, or `NAME@2` for a version of it, which must be on this disk.

        Raises InputError: dataset_unknown (with the nearest name), dataset_remote, dataset_script, dataset_cloud,
        dataset_outside, dataset_missing, version_unknown.
        """
        found = self._entries.get(name)
        if found is None:
            base, sign, number = name.rpartition("@")
            if sign and number.isdecimal() and base in self._entries:
                return self._version(base, int(number))
            near = difflib.get_close_matches(name, self._entries, 1, 0.4)
            code = "dataset_unknown_near" if near else "dataset_unknown"
            raise InputError(code, name=name, nearest=near[0] if near else "", known=sorted(self._entries)[:20])
        if found.path is None:
            return self._at_hand(found)
        folder = self.workspace.shipped_data if found.shipped and not self._same else self.folder
        if not _inside(found.path, folder):
            raise InputError("dataset_outside", name=name, path=str(found.path), folder=str(folder))
        if not found.path.exists():
            raise InputError("dataset_missing", name=name, path=str(found.path))
        return found

    def find(self, said: str) -> Entry:
        """The dataset of this name, else the file or folder at this path, which need not be registered anywhere.

        For the command line, whose user may read every file; a page asks for `entry`. A path that the catalogue names
        is that entry. Raises what `entry` raises.
        """
        path = Path(said).expanduser()
        if said in self._entries or not path.exists():
            return self.entry(said)
        here = path.resolve()
        named = (one for one in self._entries.values() if one.path is not None and one.path.resolve() == here)
        return next(named, None) or Entry(path.stem or path.name, here)

    def save(self, name: str, about: Mapping[str, Any]) -> Entry:
        """Write an entry into the user's catalogue; keys that `about` does not have stay, those it has as None go.

        What others wrote since this catalogue was read stays too. Raises InputError dataset_name, catalogue_changed
        when somebody else changed this very entry, dataset_outside, catalogue_broken, catalogue_busy, and WorkError
        disk_refuses.
        """
        catalogue_file.check_name(name)
        known = self._listed.get(name)

        def wanted(there: Any) -> Mapping[str, Any]:
            if there != known:
                raise InputError("catalogue_changed", name=name)
            whole = {**there, **about} if isinstance(there, dict) else dict(about)
            return {key: value for key, value in whole.items() if value is not None}

        planned = _entry(self.folder, name, wanted(known), shipped=self._same)
        if planned.path is not None and not _inside(planned.path, self.folder):
            raise InputError("dataset_outside", name=name, path=str(planned.path), folder=str(self.folder))
        self._listed[name] = catalogue_file.change(self.folder / CATALOGUE, name, wanted)
        self._entries[name] = _entry(self.folder, name, self._listed[name], shipped=self._same)
        return self._entries[name]

    def remove(self, name: str) -> None:
        """Take an entry out of the user's catalogue; its files stay.

        Raises InputError dataset_unlisted for what it does not list, catalogue_changed, and what `save` raises.
        """
        known = self._listed.get(name)
        if known is None:
            raise InputError("dataset_unlisted", name=name, path=str(self.folder / CATALOGUE))

        def wanted(there: Any) -> None:
            if there is not None and there != known:
                raise InputError("catalogue_changed", name=name)

        catalogue_file.change(self.folder / CATALOGUE, name, wanted)
        self._listed.pop(name)
        self._entries.pop(name, None)

    def put_away(self, name: str) -> Away:
        """Take a set of the user's own out of the list, a file that nothing names too; every file stays where it is.

        Raises what `remove` raises.
        """
        entry, about = self._entries.get(name), self._listed.get(name)
        if entry is None or entry.shipped:
            raise InputError("dataset_unlisted", name=name, path=str(self.folder / CATALOGUE))
        file = entry.path.name if entry.path is not None and entry.path.parent == self.folder else ""
        if file:
            catalogue_file.put(self.folder, file, True)
        if name in self._listed:
            self.remove(name)
        self._entries.pop(name, None)
        return Away(name, about if isinstance(about, dict) else None, file, str(entry.path or ""))

    def put_back(self, gone: Away) -> Entry:
        """List what was put away again; raises InputError dataset_name_taken and what `save` raises."""
        if gone.name in self._entries:
            raise InputError("dataset_name_taken", name=gone.name)
        if gone.file:
            catalogue_file.put(self.folder, gone.file, False)
        if gone.about is not None:
            return self.save(gone.name, gone.about)
        return Catalogue(self.workspace, self.folder).entry(gone.name)

    def fetch(self, name: str, on_progress: Tell | None = None, should_stop: Stop | None = None) -> Entry:
        """The dataset of this name, brought from its hub unless it is on this disk.

        `on_progress(done, total)` hears bytes. Raises what `entry` and `fetching.fetch_dataset` raise.
        """
        from studio.data import fetching

        found = self._entries.get(name)
        if found is not None and found.path is None and found.hubs and self._local(found) is None:
            hub, remote = hub_of(found)
            fetching.fetch_dataset(remote, hub, self.workspace, on_progress, should_stop, subset=found.subset,
                                   folder=found.folder, split=found.split)
        return self.entry(name)

    def _local(self, entry: Entry) -> Path | None:
        """The folder into which a distant entry, or the parts of it that are meant, was brought."""
        from studio.data import fetching

        tried = (fetching.local(name, hub, self.workspace, entry.subset, entry.folder, entry.split)
                 for hub, name in entry.hubs.items())
        return next((path for path in tried if path is not None), None)

    def _at_hand(self, entry: Entry) -> Entry:
        """A distant entry with the folder into which it was brought."""
        path = self._local(entry)
        if path is not None:
            return replace(entry, path=path, shipped=False)
        code = "dataset_remote" if entry.hubs else "dataset_cloud" if entry.about.get(CLOUD) else "dataset_script"
        raise InputError(code, name=entry.name, remote=entry.remote or "")

    def _version(self, name: str, number: int) -> Entry:
        if number == 1:
            return self.entry(name)
        entry = self._entries[name]
        path = self.workspace.data / VERSIONS / name / str(number) / ROWS
        if not _inside(path, self.workspace.data) or not path.is_file():
            raise InputError("version_unknown", name=name, value=number)
        return replace(entry, name=f"{name}@{number}", path=path, num_samples=None, shipped=False, remote=None, hubs={},
                       subset="", folder="", split="", sha1="")


def hub_of(entry: Entry) -> tuple[str, str]:
    """(hub, name there) of a distant entry: ModelScope where USE_MODELSCOPE_HUB asks for it, else the first it has."""
    wanted = "modelscope" if os.environ.get("USE_MODELSCOPE_HUB", "").lower() in ("1", "true", "y") else ""
    hub = wanted if wanted in entry.hubs else next(iter(entry.hubs))
    return hub, entry.hubs[hub]


def sources_of(entry: Entry) -> list[Source]:
    """The sources of an entry on this disk, in their order: those of its subset, folder and split.

    Raises InputError dataset_remote, dataset_parts when it names parts that are not there, and what reading raises.
    """
    if entry.path is None:
        raise InputError("dataset_remote", name=entry.name, remote=entry.remote or "")
    found = reading.sources(entry.path)
    if not (entry.subset or entry.folder or entry.split or entry.hubs):
        return found
    chosen = catalogue_parts.chosen(found, entry.path, entry.subset, entry.folder, entry.split, bool(entry.hubs))
    if found and not chosen:
        said = ", ".join(one for one in (entry.subset, entry.folder, entry.split) if one)
        raise InputError("dataset_parts", name=entry.name, value=said, known=[one.name for one in found][:12])
    return chosen


def count_rows(entry: Entry) -> int:
    """How many rows the dataset's files hold, usable or not; remembered until a file changes."""
    if entry.path is None:
        return 0
    return sum(_counted(source, stat.st_mtime_ns, stat.st_size)
               for source in sources_of(entry) for stat in [source.path.stat()])


def is_as_listed(entry: Entry) -> bool | None:
    """Whether the file has the sha1 that the catalogue gives; None without one. A difference is worth a warning only.

    Reads the whole file. A folder has no hash, as in the older systems.
    """
    if not entry.sha1 or entry.path is None or not entry.path.is_file():
        return None
    with open(entry.path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(usedforsecurity=False)).hexdigest() == entry.sha1.lower()


@lru_cache(maxsize=256)
def _counted(source: Source, changed: int, size: int) -> int:
    return sum(1 for _ in reading.rows(source))


def _inside(path: Path, folder: Path) -> bool:
    return path.resolve().is_relative_to(folder.resolve())


def _entries(folder: Path, listed: Mapping[str, Any], shipped: bool) -> dict[str, Entry]:
    return {name: _entry(folder, name, about, shipped) for name, about in listed.items() if isinstance(about, dict)}


def _entry(folder: Path, name: str, about: Mapping[str, Any], shipped: bool) -> Entry:
    file_name = about.get("file_name")
    hubs = {hub: str(about[key]) for key, hub in HUBS.items() if about.get(key)}
    remote = next((str(about[key]) for key in (*HUBS, SCRIPT, CLOUD) if about.get(key)), None)
    said = {key: str(about.get(key) or "") for key in ("subset", "folder", "split")}
    samples = about.get("num_samples")
    return Entry(name, folder / str(file_name) if file_name and not remote else None,
                 formatting=str(about["formatting"]) if about.get("formatting") else None,
                 columns=_words(about.get("columns")), tags=_words(about.get("tags")),
                 ranking=bool(about.get("ranking")), shipped=shipped,
                 num_samples=samples if isinstance(samples, int) and samples > 0 else None, remote=remote, hubs=hubs,
                 sha1=str(about.get("file_sha1") or ""), about=about, **said)


def _words(value: Any) -> dict[str, str]:
    return {str(key): word for key, word in value.items() if isinstance(word, str)} if isinstance(value, dict) else {}


def _uncatalogued(folder: Path, listed: Mapping[str, Entry]) -> dict[str, Entry]:
    """Data files at the top of the folder that no entry names, under their name without its endings.

    The second of two that would have the same name keeps its endings.
    """
    named = {os.path.normpath(str(entry.about.get("file_name"))) for entry in listed.values()}
    named |= catalogue_file.away(folder)
    try:
        with os.scandir(folder) as there:
            loose = sorted(one.name for one in there if one.name not in named and one.is_file()
                           and reading.holds_rows(one.name))
    except OSError:  # no folder yet, or none to look into
        return {}
    found: dict[str, Entry] = {}
    for file_name in loose:
        path = folder / file_name
        name = path.with_suffix("").stem if path.suffix.lower() in reading.PACKED else path.stem
        if name in found or name in listed:
            name = file_name
        if name not in found and name not in listed:
            found[name] = Entry(name, path)
    return found
