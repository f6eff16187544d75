"""From a spec to training rows: read, understand, spell, tokenise, keep, mix, hold out; every row is counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from studio.data import mix
from studio.data.catalogue import Catalogue, Entry
from studio.data.counts import Counts, Skipped, together
from studio.data.model import vocabulary
from studio.data.options import Reading
from studio.data.tokenise import READ_WHOLE_BYTES, Progress, Stop, Tokenised, Tokeniser, tokenise
from studio.data.tokens import TokenRows
from studio.errors import InputError
from studio.specs.schedule import held_out
from studio.workspace import Workspace

__all__ = ["Part", "Prepared", "examine", "parts", "prepare", "split", "tokenise"]


@dataclass(frozen=True)
class Part:
    """One dataset of a run as it is named there, and how many of its rows are wanted at most."""

    name: str
    entry: Entry
    most: int | None


@dataclass(frozen=True)
class Prepared:
    """What a run trains on; `each` has the counts of every training dataset by the name that the run gives it.

    `fingerprints` are the hashes of the datasets' files, by name.
    """

    train: TokenRows
    evaluation: TokenRows | None
    counts: Counts
    fingerprints: dict[str, str]
    each: dict[str, Counts]


def parts(names: Sequence[str], catalogue: Catalogue) -> list[Part]:
    """The datasets of these names, `alpaca` or `alpaca#1000`; raises what the catalogue raises."""
    known = {entry.name for entry in catalogue.entries()}
    split = [(name, *mix.limited(name, known)) for name in names]
    return [Part(name, catalogue.entry(plain), most) for name, plain, most in split]


def prepare(spec: Any, workspace: Workspace, model: Path, *, write_cache: bool = True,
            on_progress: Progress | None = None, should_stop: Stop | None = None) -> Prepared:
    """The rows of a spec's datasets in tokens of the model in the folder `model`; raises what `Tokeniser` raises.

    InputError tokenizer_too_large when the tokenizer is another model's. The validation split is taken before the mix,
    so that no row that is repeated stands on both sides.
    """
    catalogue = Catalogue(workspace, spec.dataset_dir)
    train = parts(spec.dataset, catalogue)
    evaluated = parts(spec.eval_dataset if spec.eval_strategy != "no" else [], catalogue)
    work = Tokeniser(model, workspace, Reading.of(spec), write_cache, on_progress, should_stop)
    work.expect([part.entry for part in (*train, *evaluated)])
    done = [work.tokens(part.entry, part.most) for part in train]
    apart = [work.tokens(part.entry, part.most) for part in evaluated]
    work.finished()
    rows = TokenRows([one.rows for one in done])
    _of_this_model(rows, model)
    fingerprints = {part.entry.name: one.fingerprint
                    for part, one in zip((*train, *evaluated), (*done, *apart), strict=True)}
    kept, held = split(len(rows), spec, splits=not apart)
    chosen = _mixed(kept, [len(one.rows) for one in done], spec)
    each = {part.name: _share(one, start, kept, held, chosen)
            for part, one, start in zip(train, done, np.cumsum([0, *(len(one.rows) for one in done)]), strict=False)}
    evaluation = rows.select(held) if len(held) else None
    if apart:
        evaluation = TokenRows([one.rows for one in apart])
    return Prepared(rows.select(chosen), evaluation, together(each.values()), fingerprints, each)


def examine(spec: Any, workspace: Workspace, chat: Any, name: str) -> None:
    """Raise what `prepare` would raise of one dataset, in a moment: rows are tokenised until one of them can be used.

    What is broken far inside a large file is not seen. Without a tokenizer, rows count as usable whatever their length.
    """
    (part,) = parts([name], Catalogue(workspace, spec.dataset_dir))
    work, skipped = Tokeniser(None, workspace, Reading.of(spec), False), Skipped()
    work.chat = chat
    size = work.size(part.entry)
    samples = work.samples(part.entry, skipped, part.most, str(work.options.learns))
    if not any(work.is_usable(sample, skipped) for sample in samples):
        raise work.useless(part.entry, skipped.total, skipped)
    if size < READ_WHOLE_BYTES:
        for _ in samples:
            continue


def _of_this_model(rows: TokenRows, model: Path) -> None:
    known = vocabulary(model)
    if known and rows.largest_id() >= known:
        raise InputError("tokenizer_too_large", path=str(model), tokens=rows.largest_id() + 1, value=known)


def split(rows: int, spec: Any, splits: bool) -> tuple[np.ndarray, np.ndarray]:
    """The places of the rows to train on and of those held out, each ascending; decided by the seed alone."""
    order = np.random.default_rng(spec.seed).permutation(rows)
    taken = held_out(rows, spec.val_size) if splits and spec.eval_strategy != "no" else 0
    return np.sort(order[taken:]), np.sort(order[:taken])


def _mixed(kept: np.ndarray, lengths: Sequence[int], spec: Any) -> np.ndarray:
    """The places to learn from: those kept, in the order and as often as the mix wants them."""
    bounds = np.searchsorted(kept, np.cumsum([0, *lengths]))
    order = mix.order(np.diff(bounds).tolist(), spec.mix_strategy, spec.interleave_probs, spec.seed)
    return kept[order]


def _share(one: Tokenised, start: int, kept: np.ndarray, held: np.ndarray, chosen: np.ndarray) -> Counts:
    """The counts of one dataset after the split and the mix; its rows begin at the place `start`."""
    def mine(places: np.ndarray) -> np.ndarray:
        return places[(places >= start) & (places < start + len(one.rows))]

    learned, once = mine(chosen), len(np.unique(mine(chosen)))
    return replace(one.counts, held_out=len(mine(held)), left_out=len(mine(kept)) - once,
                   repeated=len(learned) - once)
