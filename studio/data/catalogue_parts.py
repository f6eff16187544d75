"""Which files of a dataset an entry means: its subset, its folder and its split, as the hubs lay them out."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from studio.data.reading import Source

SPLITS = ("train", "test", "validation", "valid", "val", "dev", "eval")
SAME = {"validation": ("validation", "valid", "val", "dev"), "train": ("train",), "test": ("test",)}
WHOLE = ("default", "all")
_EDGE = r"[/._\- ]"


def chosen(found: Sequence[Source], root: Path, subset: str = "", folder: str = "", split: str = "",
           distant: bool = False) -> list[Source]:
    """The sources that an entry means, in their order; all of them when it says nothing.

    What the dataset's own README declares goes first, then the names of folders and files. A distant dataset without
    a split means its `train` part, if it has parts. None match: none are returned.
    """
    names = {place: one.name for place, one in enumerate(found)}
    places: list[int] = list(names)
    if folder:
        wanted = PurePosixPath(folder)
        places = [place for place in places if wanted in (PurePosixPath(names[place]), *PurePosixPath(
            names[place]).parents)]
    split = split or ("train" if distant else "")
    declared = _declared(root, subset, split)
    if declared and (matching := [place for place in places if _matches(names[place], declared)]):
        return [found[place] for place in matching]
    if subset and subset not in WHOLE:
        places = [place for place in places if _has(names[place], subset)]
    if split:
        places = _of_split(places, names, split)
    return [found[place] for place in places]


def _of_split(places: list[int], names: Mapping[int, str], split: str) -> list[int]:
    """The places whose names have the split; with none that names any split, all of them are the `train` part."""
    exact = [place for place in places if re.search(rf"(?:^|/){re.escape(split)}-\d+-of-\d+", names[place])]
    if exact:
        return exact
    matching = [place for place in places if any(_has(names[place], one) for one in SAME.get(split, (split,)))]
    named = any(_has(names[place], one) for place in places for one in SPLITS)
    return matching if matching or named or split != "train" else places


def _has(name: str, word: str) -> bool:
    return re.search(rf"(?:^|{_EDGE}){re.escape(word)}(?:{_EDGE}|$)", name) is not None


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) or fnmatch.fnmatchcase(name, pattern.replace("**/", ""))
               for pattern in patterns)


def _declared(root: Path, subset: str, split: str) -> list[str]:
    """The patterns that the head of the dataset's README gives for a subset and split; none when it has none."""
    configs = _configs(root)
    one = next((one for one in configs if one.get("config_name") == subset), None) if subset else next(
        (one for one in configs if one.get("default") or one.get("config_name") == "default"),
        configs[0] if len(configs) == 1 else None)
    files = one.get("data_files") if one else None
    if isinstance(files, str):
        return [files]
    if not isinstance(files, list):
        return []
    found: list[str] = []
    for part in files:
        if isinstance(part, str):
            found.append(part)
        elif isinstance(part, dict) and str(part.get("split")) == (split or "train"):
            path = part.get("path")
            found += path if isinstance(path, list) else [str(path)]
    return found


def _configs(root: Path) -> list[dict[str, Any]]:
    readme = root / "README.md"
    if not root.is_dir() or not readme.is_file():
        return []
    import yaml

    head = re.match(r"---\r?\n(.*?)\r?\n---", readme.read_text(encoding="utf-8", errors="replace"), re.DOTALL)
    try:
        said = yaml.safe_load(head.group(1)) if head else None
    except yaml.YAMLError:
        return []
    configs = said.get("configs") if isinstance(said, dict) else None
    return [one for one in configs if isinstance(one, dict)] if isinstance(configs, list) else []
