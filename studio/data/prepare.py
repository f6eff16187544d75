"""From a spec to training rows: read, understand, spell, tokenise, keep; every row is counted."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from studio.data import cache, reading
from studio.data.catalogue import Catalogue, Entry
from studio.data.chat import ChatTokenizer
from studio.data.counts import Counts, together
from studio.data.model import vocabulary
from studio.data.tokens import RowWriter, TokenRows
from studio.errors import InputError, StopAsked
from studio.plugins import kinds, plugin
from studio.plugins.formats import Unusable
from studio.sample import Sample
from studio.specs.schedule import held_out
from studio.workspace import Workspace

VERSION = 1
CHUNK_ROWS = 512
_READ_WHOLE_BYTES = 8_000_000  # a tenth of a second of reading
Progress = Callable[[int, int], None]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Prepared:
    """What a run trains on; `fingerprints` are the hashes of the datasets' files, by name."""

    train: TokenRows
    evaluation: TokenRows | None
    counts: Counts
    fingerprints: dict[str, str]


def prepare(spec: Any, workspace: Workspace, model: Path, *, write_cache: bool = True,
            on_progress: Progress | None = None, should_stop: Stop | None = None) -> Prepared:
    """The rows of a spec's datasets in tokens of the model in the folder `model`.

    `on_progress(done, total)` hears rows read, `total` is an estimate from bytes; both callbacks are called every
    chunk. Raises InputError (datasets, templates, tokenizers, cutoff_below_prompt), WorkError (cache_not_writable,
    disk_full) and StopAsked; tokenizer_too_large when the tokenizer is another model's.
    """
    catalogue = Catalogue(workspace, spec.dataset_dir)
    evaluated = spec.eval_dataset if spec.eval_strategy != "no" else []
    chosen = {name: catalogue.entry(name) for name in (*spec.dataset, *evaluated)}
    chat = ChatTokenizer.load(model, spec.template, spec.default_system)
    job = _Job(spec, workspace, chat, write_cache, on_progress, should_stop)
    job.expect([chosen[name] for name in (*spec.dataset, *evaluated)])
    train = [job.tokens(chosen[name]) for name in spec.dataset]
    apart = [job.tokens(chosen[name]) for name in evaluated]
    job.finished()
    counts = together(counts for _, counts in train)
    rows = TokenRows([table for table, _ in train])
    known = vocabulary(model)
    if known and rows.largest_id() >= known:
        raise InputError("tokenizer_too_large", path=str(model), tokens=rows.largest_id() + 1, value=known)
    fingerprints = {name: _fingerprint(entry) for name, entry in chosen.items()}
    if apart:
        return Prepared(rows, TokenRows([table for table, _ in apart]), counts, fingerprints)
    kept, held = _split(len(rows), spec)
    evaluation = rows.select(held) if len(held) else None
    return Prepared(rows.select(kept), evaluation, replace(counts, held_out=len(held)), fingerprints)


def examine(spec: Any, workspace: Workspace, chat: ChatTokenizer | None, name: str) -> None:
    """Raise what `prepare` would raise of one dataset, in a moment: rows are tokenised until one of them can be used.

    What is broken far inside a large file is not seen. Without a tokenizer, rows count as usable whatever their length.
    """
    entry = Catalogue(workspace, spec.dataset_dir).entry(name)
    job, skipped = _Job(spec, workspace, chat, False, None, None), Counter[str]()
    size = job.size(entry)
    samples = job.samples(entry, skipped)
    if not any(job.is_usable(sample, skipped) for sample in samples):
        raise job.useless(entry, sum(skipped.values()), skipped)
    if size < _READ_WHOLE_BYTES:
        for _ in samples:
            continue


def _split(rows: int, spec: Any) -> tuple[np.ndarray, np.ndarray]:
    """The places of the rows to train on and of those held out, each ascending; decided by the seed alone."""
    order = np.random.default_rng(spec.seed).permutation(rows)
    taken = held_out(rows, spec.val_size) if spec.eval_strategy != "no" else 0
    return np.sort(order[taken:]), np.sort(order[:taken])


class _Job:
    """One preparation: what all its datasets share."""

    def __init__(self, spec: Any, workspace: Workspace, chat: Any, write_cache: bool,
                 on_progress: Progress | None, should_stop: Stop | None) -> None:
        self.spec, self.chat, self.write_cache = spec, chat, write_cache
        self.folder = workspace.cache
        self.on_progress, self.should_stop = on_progress, should_stop
        self.rows = self.bytes = self.total_bytes = 0

    def expect(self, entries: list[Entry]) -> None:
        """Weigh all files, so that progress has a total."""
        self.total_bytes = sum(path.stat().st_size for entry in entries for path in reading.files(_path(entry)))

    def tokens(self, entry: Entry) -> tuple[Any, Counts]:
        """The Arrow table and counts of one dataset; raises InputError when it teaches nothing."""
        size = self.size(entry)
        bytes_before, rows_before = self.bytes, self.rows
        table, counts = cache.tokens(self.folder, self._key(entry), lambda writer: self._fill(entry, writer),
                                     self.write_cache)
        self.bytes, self.rows = bytes_before + size, rows_before + counts.read
        return table, counts

    def size(self, entry: Entry) -> int:
        """The bytes of a dataset; raises InputError when it is none for this stage, or empty."""
        if entry.ranking:
            raise InputError("dataset_is_ranking", name=entry.name)
        size = sum(path.stat().st_size for path in reading.files(_path(entry)))
        if not size:
            raise InputError("dataset_empty", name=entry.name, path=str(entry.path))
        return size

    def _key(self, entry: Entry) -> str:
        spec = self.spec
        parts = [VERSION, _fingerprint(entry), entry.formatting, dict(entry.columns), dict(entry.tags),
                 self.chat.files.fingerprint(),
                 self.chat.source, spec.default_system, spec.cutoff_len, spec.train_on_prompt, spec.mask_history,
                 spec.max_samples, entry.num_samples]
        return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:32]

    def _fill(self, entry: Entry, writer: RowWriter) -> Counts:
        """Tokenise a dataset into the writer, chunk by chunk."""
        spec, skipped = self.spec, Counter[str]()
        read = used = cut = tokens = trained = 0
        samples = self.samples(entry, skipped)
        while chunk := list(itertools.islice(samples, CHUNK_ROWS)):
            ids, spans = [], []
            for one in self.chat.encode_batch(chunk, spec.cutoff_len, spec.train_on_prompt, spec.mask_history):
                if isinstance(one, str):
                    skipped[one] += 1
                    continue
                ids.append(one.ids)
                spans.append([place for span in one.spans for place in span])
                cut += one.cut
                tokens += len(one.ids)
                trained += sum(end - start for start, end in one.spans)
            used += len(ids)
            writer.write(ids, spans)
            self.tick()
        read = used + sum(skipped.values())
        if not used:
            raise self.useless(entry, read, skipped)
        return Counts(read, used, dict(skipped), cut, tokens, trained)

    def samples(self, entry: Entry, skipped: Counter[str]) -> Iterator[Sample]:
        """The usable rows of a dataset; the others are counted by reason."""
        read_row = None
        for row in self._rows(entry):
            self.rows += 1
            if self.rows % CHUNK_ROWS == 0:
                self.tick()
            try:
                if read_row is None:
                    read_row = _reader(entry, row)
                yield read_row(row)
            except Unusable as reason:
                skipped[reason.reason] += 1

    def _rows(self, entry: Entry) -> Iterator[Any]:
        most = min((one for one in (self.spec.max_samples, entry.num_samples) if one), default=None)
        start = self.bytes

        def at(position: int) -> None:
            self.bytes = start + position

        def of_all() -> Iterator[Any]:
            nonlocal start
            for path in reading.files(_path(entry)):
                yield from reading.rows(path, at)
                start += path.stat().st_size

        return itertools.islice(of_all(), most)

    def is_usable(self, sample: Sample, skipped: Counter[str]) -> bool:
        """Whether a row gives tokens to train; counted by reason when it does not."""
        if self.chat is None:
            return True
        one = self.chat.encode(sample, self.spec.cutoff_len, self.spec.train_on_prompt, self.spec.mask_history)
        if isinstance(one, str):
            skipped[one] += 1
        return not isinstance(one, str)

    def useless(self, entry: Entry, read: int, skipped: Counter[str]) -> InputError:
        """The error of a dataset of which no row can be used."""
        if not read:
            return InputError("dataset_empty", name=entry.name, path=str(entry.path))
        if set(skipped) == {"prompt_too_long"}:
            return InputError("cutoff_below_prompt", name=entry.name, value=self.spec.cutoff_len)
        reason = max(skipped, key=lambda one: skipped[one])
        return InputError("dataset_no_usable", name=entry.name, rows=read, count=skipped[reason],
                          reason=f"@data.skipped.{reason}")

    def tick(self) -> None:
        """Tell how far it is and stop when asked to."""
        if self.on_progress:
            share = self.bytes / self.total_bytes if self.total_bytes else 1.0
            self.on_progress(self.rows, max(self.rows, round(self.rows / share) if share else self.rows))
        if self.should_stop and self.should_stop():
            raise StopAsked("tokenising")

    def finished(self) -> None:
        """All rows were read, or found in the cache."""
        if self.on_progress:
            self.on_progress(self.rows, self.rows)


def _path(entry: Entry) -> Path:
    if entry.path is None:
        raise InputError("dataset_remote", name=entry.name, remote=entry.remote or "")
    return entry.path


def _reader(entry: Entry, row: Any) -> Callable[[Any], Sample]:
    """The reading function for the catalogue's formatting, else for the format that the row looks like."""
    name = entry.formatting
    if name is None and entry.columns:
        name = "sharegpt" if "messages" in entry.columns else "alpaca"
    if name is None and isinstance(row, dict):
        name = next((kind for kind in kinds("formats") if plugin("formats", kind).recognises(row)), None)
    if name is not None and name not in kinds("formats"):
        raise InputError("dataset_formatting", name=entry.name, value=name, kinds=", ".join(kinds("formats")))
    if name is None:
        if not isinstance(row, dict):
            raise Unusable("not_an_object")
        raise InputError("dataset_columns", name=entry.name, columns=list(row)[:12])
    return plugin("formats", name).reader(entry.columns, entry.tags)


def _fingerprint(entry: Entry) -> str:
    """The hash of a dataset's files."""
    digest = hashlib.sha256()
    for path in reading.files(_path(entry)):
        with open(path, "rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
