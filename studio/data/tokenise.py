"""One dataset becomes token rows on disk, once: training and `data tokenize` share what was made.

What was made is known by the content of the files, the catalogue's words, the tokenizer, the template, the options
and the code that reads and spells; when all of them are the same, neither rows nor tokenizer are read again.
"""

from __future__ import annotations

import gc
import hashlib
import itertools
import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from studio.data import cache
from studio.data.cache import Kept
from studio.data.catalogue import Entry, sources_of
from studio.data.counts import Counts, Skipped
from studio.data.fingerprint import fingerprint, marks
from studio.data.options import Reading
from studio.data.tokenizer_files import TokenizerFiles
from studio.data.walk import UNRECOGNISED, Place, path_of, walk
from studio.errors import InputError, StopAsked
from studio.plugins import kinds, plugin
from studio.sample import Sample
from studio.workspace import PROJECT, Workspace

if TYPE_CHECKING:
    from studio.data.tokens import RowWriter, Stored

CHUNK_ROWS = 256
READ_WHOLE_BYTES = 8_000_000  # a tenth of a second of reading
LEARNED = ("chat", "preference")
_LOOKED_AT, _HOPELESS_ROWS = 24, 1000
_NOT_IN_NAMES = re.compile(r"[^\w.-]+")
_MAKERS = ("sample.py", "data/reading", "data/recognise.py", "data/walk.py", "data/chat.py", "data/answers.py",
           "data/spelling.py", "data/mask.py", "data/signposts.py", "data/turns.py", "data/jinja.py",
           "data/tokenizer_files.py", "data/templates.py", "data/tokens.py", "data/tokenise.py", "plugins/formats",
           "plugins/templates")
Progress = Callable[[int, int], None]
Stop = Callable[[], bool]
Placed = tuple[Place, Sample]


@dataclass(frozen=True)
class Tokenised:
    """The rows of one dataset: a preference is two of them, chosen then rejected; `folder` is None if nothing is kept.

    `found` says that an earlier run had made them, `fingerprint` is the hash of the dataset's files.
    """

    kept: Kept
    fingerprint: str
    folder: Path | None
    found: bool

    @property
    def rows(self) -> Stored:
        """The rows, mapped."""
        return self.kept.rows

    @property
    def counts(self) -> Counts:
        """What became of the rows that were read."""
        return self.kept.counts


def tokenise(entry: Entry, model: Path, workspace: Workspace, options: Reading, *, write_cache: bool = True,
             on_progress: Progress | None = None, should_stop: Stop | None = None) -> Tokenised:
    """The rows of one dataset in tokens of the model in the folder `model`; see `Tokeniser`."""
    work = Tokeniser(model, workspace, options, write_cache, on_progress, should_stop)
    work.expect([entry])
    done = work.tokens(entry)
    work.finished()
    return done


class Tokeniser:
    """Makes token rows of datasets, one after the other, for one model and one set of options.

    Raises InputError (datasets, templates, tokenizers, cutoff_below_prompt), WorkError (cache_not_writable,
    disk_full) and StopAsked. `on_progress(done, total)` hears rows read, `total` is an estimate from bytes; both
    callbacks are called every chunk.
    """

    def __init__(self, model: Path | None, workspace: Workspace, options: Reading, write_cache: bool = True,
                 on_progress: Progress | None = None, should_stop: Stop | None = None) -> None:
        self.model, self.options, self.write_cache = model, options, write_cache
        self.workspace = workspace
        self.folder = _folder(options.tokenized_path, workspace)
        self.on_progress, self.should_stop = on_progress, should_stop
        self.rows = self.bytes = self.total_bytes = 0
        self.columns: list[str] = []

    @cached_property
    def chat(self) -> Any:
        """The tokenizer, loaded only when rows are to be spelled; None without a model."""
        from studio.data.chat import ChatTokenizer

        options = self.options
        return self.model and ChatTokenizer.load(self.model, options.template, options.default_system, self.workspace)

    def expect(self, entries: list[Entry]) -> None:
        """Weigh all files, so that progress has a total."""
        self.total_bytes = sum(weight(entry) for entry in entries)

    def tokens(self, entry: Entry, most: int | None = None) -> Tokenised:
        """The rows of one dataset, of its first `most` rows; raises InputError when it teaches nothing."""
        size = self.size(entry)
        most = _least(most, self.options.max_samples, entry.num_samples)
        bytes_before, rows_before = self.bytes, self.rows
        marked = marks(entry)
        content = fingerprint(entry, self.workspace.cache / "hashes" if self.write_cache else None)
        learns, found = self._known(entry, content, most)
        folder = self.folder / self._key(entry, content, most, learns)
        with _rare_collections():
            done = found or cache.tokens(folder, lambda writer: self._fill(entry, writer, most, learns, marked),
                                         self.write_cache, keeps_all=bool(self.options.tokenized_path))
        self.bytes, self.rows = bytes_before + size, rows_before + done.counts.read
        return Tokenised(done, content, folder if found or self.write_cache else None, bool(found))

    def _known(self, entry: Entry, content: str, most: int | None) -> tuple[str, Kept | None]:
        """What is learned of a dataset and the rows kept of it; its first rows tell where nobody said and none are."""
        asked = self.options.learns
        for learns in (asked,) if asked else LEARNED:
            found = cache.read(self.folder / self._key(entry, content, most, learns))
            if found:
                return learns, found
        if asked:
            return asked, None
        kinds = (sample.kind for _, _, sample in walk(entry, limit=_LOOKED_AT) if not isinstance(sample, str))
        return next((kind for kind in kinds if kind in LEARNED), LEARNED[0]), None

    def size(self, entry: Entry) -> int:
        """The bytes of a dataset; raises InputError when it is empty."""
        size = weight(entry)
        if not size:
            raise InputError("dataset_empty", name=entry.name, path=str(entry.path))
        return size

    def _key(self, entry: Entry, content: str, most: int | None, learns: str) -> str:
        options = self.options
        parts = [_code(), content, [source.name for source in sources_of(entry)], entry.formatting, dict(entry.columns),
                 dict(entry.tags), entry.ranking, most, learns, *self._spelling, options.default_system,
                 options.cutoff_len, options.train_on_prompt, options.mask_history]
        key = hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).hexdigest()[:32]
        return f"{_NOT_IN_NAMES.sub('-', entry.name)}-{key[:16]}" if options.tokenized_path else key

    @cached_property
    def _spelling(self) -> list[str]:
        """What decides how a conversation becomes ids: the tokenizer's files and the template's own source."""
        template = self.options.template
        if template in kinds("templates"):  # the usual case, without the template language
            spelled = repr(sorted((name, value) for name, value in vars(plugin("templates", template)).items()
                                  if name.isupper()))
        else:
            from studio.data.templates import chosen

            spelled = repr(chosen(template, self.workspace))
        return [TokenizerFiles.of(self.model).fingerprint() if self.model else "", template, spelled]

    def _fill(self, entry: Entry, writer: RowWriter, most: int | None, learns: str, marked: list[list[int]]) -> Counts:
        """Tokenise a dataset into the writer, chunk by chunk."""
        skipped = Skipped()
        used = cut = 0
        samples = self.samples(entry, skipped, most, learns)
        while chunk := list(itertools.islice(samples, CHUNK_ROWS)):
            ids, spans = [], []
            for (place, _), found in zip(chunk, self._encoded([sample for _, sample in chunk]), strict=True):
                if isinstance(found, str):
                    skipped.add(found, place.file, place.line)
                    continue
                used += 1
                for one in found:
                    ids.append(one.ids)
                    spans.append(list(itertools.chain.from_iterable(one.spans)))
                if found[0].cut or found[-1].cut:
                    cut += 1
            writer.write(ids, spans)
            self.tick()
        read = used + skipped.total
        if marks(entry) != marked:
            raise InputError("dataset_changed", path=path_of(entry).name)
        if not used:
            raise self.useless(entry, read, skipped)
        return Counts(read, used, dict(skipped.counts), cut, writer.tokens, writer.trained, examples=skipped.examples)

    def _encoded(self, samples: list[Sample]) -> Iterator[Any]:
        """The rows of each sample, one or a pair, or the reason why it teaches nothing."""
        options = self.options
        if samples[0].kind == "preference":
            yield from self.chat.encode_pairs(samples, options.cutoff_len)
            return
        for one in self.chat.encode_batch(samples, options.cutoff_len, options.train_on_prompt, options.mask_history):
            yield one if isinstance(one, str) else (one,)

    def samples(self, entry: Entry, skipped: Skipped, most: int | None, learns: str) -> Iterator[Placed]:
        """The rows of a dataset that can be learned from; the others are counted by reason."""
        start, used = self.bytes, 0

        def at(position: int) -> None:
            self.bytes = start + position

        for place, row, found in walk(entry, at=at, limit=most):
            self.rows += 1
            if self.rows % CHUNK_ROWS == 0:
                self.tick()
            if isinstance(found, str):
                skipped.add(found, place.file, place.line)
                if found == UNRECOGNISED:
                    self.columns = self.columns or list(row)[:12]
                    if not used and skipped.counts[UNRECOGNISED] == _HOPELESS_ROWS:
                        raise self.useless(entry, skipped.total, skipped)
                continue
            if found.kind != learns:
                skipped.add(f"kind_{found.kind}", place.file, place.line)
                continue
            used += 1
            yield place, found

    def is_usable(self, placed: Placed, skipped: Skipped) -> bool:
        """Whether a row gives tokens to train; counted by reason when it does not."""
        place, sample = placed
        found = next(self._encoded([sample])) if self.chat else ()
        if isinstance(found, str):
            skipped.add(found, place.file, place.line)
        return not isinstance(found, str)

    def useless(self, entry: Entry, read: int, skipped: Skipped) -> InputError:
        """The error of a dataset of which no row can be used."""
        if not read:
            return InputError("dataset_empty", name=entry.name, path=str(entry.path))
        reason, count = skipped.counts.most_common(1)[0]
        if set(skipped.counts) == {"prompt_too_long"}:
            return InputError("cutoff_below_prompt", name=entry.name, value=self.options.cutoff_len)
        if reason == UNRECOGNISED:
            return InputError("dataset_columns", name=entry.name, columns=self.columns)
        if reason == "kind_preference":
            return InputError("dataset_is_ranking", name=entry.name)
        file, line = skipped.examples[reason][0]
        return InputError("dataset_no_usable", name=entry.name, rows=read, count=count, file=file, line=line,
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


def weight(entry: Entry) -> int:
    """The bytes of a dataset's files as `reading` counts them."""
    return sum(source.size for source in sources_of(entry))


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Python looks for rings of garbage now and then only: rows make few, and each look goes through all of a chunk."""
    usual = gc.get_threshold()
    gc.set_threshold(50_000, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


@lru_cache(maxsize=1)
def _code() -> str:
    """The hash of the code that reads, understands and spells: rows made by other code are made anew."""
    digest = hashlib.sha256()
    for name in _MAKERS:
        path = PROJECT / "studio" / name
        for file in sorted(path.glob("*.py")) if path.is_dir() else [path]:
            digest.update(file.read_bytes() if file.is_file() else b"")
    return digest.hexdigest()


def _folder(chosen: str | None, workspace: Workspace) -> Path:
    """Where token rows are kept; raises InputError tokenized_path_outside."""
    if not chosen:
        return workspace.cache / "tokens"
    folder = (workspace.root / Path(chosen).expanduser()).resolve()
    if not folder.is_relative_to(workspace.root.resolve()):
        raise InputError("tokenized_path_outside", path=chosen, folder=str(workspace.root))
    return folder


def _least(*limits: int | None) -> int | None:
    return min((one for one in limits if one), default=None)
