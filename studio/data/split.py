"""A dataset split into train, validation and test by a seed; rows that ask the same are never on two sides.

Rows ask the same when the user says the same in them, whatever the case, width and white space, which is also what the
doctor calls overlap; for plain texts the text counts. A group of such rows goes to one side as a whole. The sides are
datasets of their own, with the rows as they stand; a row that cannot be used is on no side, and counted.
"""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from studio.data.aside import aside
from studio.data.catalogue import Catalogue, Entry
from studio.data.index import RowIndex, Stop, Tell
from studio.data.make.registered import check_free, settle
from studio.data.places import as_lines
from studio.data.versions import check_one_format
from studio.data.walk import walk
from studio.errors import InputError, StopAsked
from studio.sample import Sample
from studio.workspace import Workspace

SIDES = ("train", "validation", "test")
UNUSED = -1
_EVERY = 1024


@dataclass(frozen=True)
class Split:
    """What became of the rows: the datasets' names and rows by side, what was left out by reason, and the groups."""

    names: Mapping[str, str]
    rows: Mapping[str, int]
    left_out: Mapping[str, int]
    groups: int


def split(entry: Entry, workspace: Workspace, shares: Sequence[float] = (0.8, 0.1, 0.1), seed: int = 42,
          name: str = "", tell: Tell | None = None, should_stop: Stop | None = None) -> Split:
    """Make NAME_train, NAME_validation and NAME_test (those with a share) out of a dataset; the rest goes to train.

    `tell(done, total)` hears rows, each twice. Raises InputError split_shares, split_too_few when a side would stay
    empty, dataset_mixed, dataset_name, make_name_taken; WorkError disk_full and disk_refuses; StopAsked. Nothing is
    left behind then.
    """
    wanted = _shares(shares)
    base = name or entry.name.replace("@", "_v")
    names = {side: f"{base}_{side}" for side in wanted}
    check_free(workspace, *names.values())
    index = RowIndex.of(entry, workspace.cache, None, should_stop)
    check_one_format(entry, index)
    watch = _Watch(2 * index.rows, tell, should_stop)
    keys, left_out = _keys(entry, index.rows, watch)
    sides, groups = _sides(keys, list(wanted.values()), seed)
    rows = {side: int((sides == number).sum()) for number, side in enumerate(wanted)}
    if not all(rows.values()):
        raise InputError("split_too_few", name=entry.name, groups=groups, value=len(wanted))
    with aside(workspace.data) as folder:
        _write(index, sides, [folder / side for side in wanted], watch)
        made = list[str]()
        try:
            for side, dataset in names.items():
                settle(workspace, dataset, folder / side, _about(entry))
                made.append(dataset)
        except Exception:
            _take_back(workspace, made)
            raise
    return Split(names, rows, dict(left_out), groups)


def key_of(sample: Sample) -> str:
    """What a row asks, in the form in which rows that ask the same are alike."""
    asked = [one.content for one in sample.messages if one.role == "user"]
    said = sample.text or "\n".join(asked or [one.content for one in sample.messages])
    return "".join(unicodedata.normalize("NFKC", said).casefold().split())


def _shares(shares: Sequence[float]) -> dict[str, float]:
    """The shares that are to be made, by side, as parts of one; raises InputError split_shares."""
    known = [*shares, 0.0, 0.0, 0.0][:3]
    if len(shares) > 3 or any(not 0 <= one < float("inf") for one in known) or known[0] <= 0 or sum(known[1:]) <= 0:
        raise InputError("split_shares", value=", ".join(map(str, shares)))
    return {side: share / sum(known) for side, share in zip(SIDES, known) if share > 0}


class _Watch:
    """Tells how far it is and stops when asked to."""

    def __init__(self, total: int, tell: Tell | None, should_stop: Stop | None) -> None:
        self.total, self.tell, self.should_stop = total, tell, should_stop

    def at(self, done: int) -> None:
        """So many rows are done."""
        if self.tell:
            self.tell(done, self.total)
        if self.should_stop and self.should_stop():
            raise StopAsked("splitting")


def _keys(entry: Entry, rows: int, watch: _Watch) -> tuple[np.ndarray, Counter[str]]:
    """(a hash of what each row asks and whether it can be used, why rows cannot); arrays of one field a row."""
    keys, left_out = np.zeros(rows, [("hash", np.int64), ("used", bool)]), Counter[str]()
    for place, _, sample in walk(entry):
        if isinstance(sample, str):
            left_out[sample] += 1
        else:
            digest = hashlib.blake2b(key_of(sample).encode("utf-8", "surrogatepass"), digest_size=8).digest()
            keys[place.number] = int.from_bytes(digest, "little", signed=True), True
        if place.number % _EVERY == 0:
            watch.at(place.number)
    return keys, left_out


def _sides(keys: np.ndarray, shares: list[float], seed: int) -> tuple[np.ndarray, int]:
    """(the number of each row's side, how many groups there are); the first side takes what the others do not."""
    used = np.flatnonzero(keys["used"])
    _, group_of, sizes = np.unique(keys["hash"][used], return_inverse=True, return_counts=True)
    side_of = np.zeros(len(sizes), np.int8)
    order = np.random.default_rng(seed).permutation(len(sizes))
    place = 0
    for side, share in reversed(list(enumerate(shares))[1:]):
        room = max(1, round(share * len(used)))
        while room > 0 and place < len(order):
            group = order[place]
            place += 1
            if sizes[group] <= room:
                side_of[group] = side
                room -= int(sizes[group])
    sides = np.full(len(keys), UNUSED, np.int8)
    sides[used] = side_of[group_of]
    return sides, len(sizes)


def _write(index: RowIndex, sides: np.ndarray, paths: Sequence[Path], watch: _Watch) -> None:
    """Write every row that is used to the file of its side, in the order of the dataset."""
    with ExitStack() as stack:
        files: list[IO[bytes]] = [stack.enter_context(open(path, "wb")) for path in paths]
        for first, rows, spelling in index.blocks():
            lines: list[list[bytes]] = [[] for _ in files]
            for side, line in zip(sides[first:first + len(rows)].tolist(), as_lines(rows, spelling)):
                if side != UNUSED:
                    lines[side].append(line)
            for file, some in zip(files, lines):
                file.write(b"".join(some))
            watch.at(index.rows + first + len(rows))
        for file in files:
            file.flush()
            os.fsync(file.fileno())


def _about(entry: Entry) -> dict[str, object]:
    """What the catalogue says of a side: how its rows are read, which is as the whole is read."""
    about: dict[str, object] = {"formatting": entry.formatting, "columns": dict(entry.columns) or None,
                                "tags": dict(entry.tags) or None, "ranking": entry.ranking or None}
    return {key: value for key, value in about.items() if value is not None}


def _take_back(workspace: Workspace, names: Sequence[str]) -> None:
    """Remove sides that were made before another could not be."""
    for name in names:
        entry = Catalogue(workspace).entry(name)
        Catalogue(workspace).remove(name)
        if entry.path is not None:
            entry.path.unlink(missing_ok=True)
