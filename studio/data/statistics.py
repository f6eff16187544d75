"""How long a dataset's rows are, what training would learn of them, and which cutoff_len would suit them.

One pass over the rows with the functions that training uses; memory holds how often each length occurs, not the rows.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from studio.data import plain
from studio.data.catalogue import Entry, sources_of
from studio.data.chat import ChatTokenizer, Encoded
from studio.data.lengths import Lengths
from studio.data.scripts import language
from studio.data.walk import walk
from studio.errors import StopAsked
from studio.sample import Sample

NO_CUTOFF = 1 << 30
CHUNK_ROWS = 512
CANDIDATES = (128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144, 8192, 12288, 16384, 24576, 32768,
              49152, 65536, 98304, 131072)
WHOLE_ROWS = 0.99
LANGUAGES = ("zh", "en", "other")
Tell = Callable[[int, int], None]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Cutoff:
    """What a cutoff_len would do: rows cut, rows that would teach nothing, tokens learned and tokens lost."""

    cutoff_len: int
    cut_rows: int
    lost_rows: int
    tokens: int
    trained_tokens: int
    cut_tokens: int


@dataclass(frozen=True)
class Share:
    """What one source brings into a mix; `rows` are the usable ones."""

    read: int
    rows: int
    tokens: int
    trained_tokens: int
    cut_rows: int
    mean_tokens: float


@dataclass(frozen=True)
class Statistics:
    """The figures of a dataset or a mix; tokens are those within cutoff_len.

    `rows` are all that were read, `used` those that teach something, `skipped` counts the others by reason;
    `lengths` holds, under tokens, trained and characters, how long the used rows are before anything is cut.
    `turns` counts the rows by how many answers they hold, `languages` by script. `cutoffs` says what several values
    of cutoff_len would do, `suggested` is the least that keeps ninety-nine rows in a hundred whole.
    """

    rows: int
    used: int
    skipped: Mapping[str, int]
    cutoff_len: int
    tokens: int
    trained_tokens: int
    cut_rows: int
    cut_tokens: int
    lengths: Mapping[str, Lengths]
    turns: Mapping[int, int] = field(default_factory=dict)
    languages: Mapping[str, int] = field(default_factory=dict)
    sources: Mapping[str, Share] = field(default_factory=dict)
    cutoffs: Sequence[Cutoff] = ()
    suggested: int = 0

    @property
    def percentiles(self) -> dict[str, float]:
        """The token lengths as pandas' describe() has them: count mean std min 25% 50% 75% 90% 95% 99% max."""
        return self.lengths["tokens"].describe()

    @property
    def context_tokens(self) -> int:
        """The tokens that the model sees and does not learn."""
        return self.tokens - self.trained_tokens

    def padding(self, batch: int) -> int:
        """How many tokens of padding flattened batches save: what rows drawn at random into batches would need."""
        return round(self.lengths["tokens"].clipped(self.cutoff_len).padding(batch))


def measure(entries: Entry | Sequence[Entry], chat: ChatTokenizer, cutoff_len: int, tell: Tell | None = None,
            should_stop: Stop | None = None, *, train_on_prompt: bool = False, mask_history: bool = False,
            limit: int | None = None) -> Statistics:
    """The statistics of a dataset, or of several as one mix; `limit` is how many rows of each are read.

    `tell(done, total)` hears rows, `total` is an estimate from bytes. Raises StopAsked and what `walk` raises.
    """
    several = [entries] if isinstance(entries, Entry) else list(entries)
    pace = _Pace(several, tell, should_stop)
    parts = []
    for entry in several:
        part = _Part(chat, cutoff_len, train_on_prompt, mask_history)
        most = min((one for one in (limit, entry.num_samples) if one), default=None)
        steps = walk(entry, at=pace.at, limit=most)
        while chunk := list(itertools.islice(steps, CHUNK_ROWS)):
            part.add([found for _, _, found in chunk])
            pace.tick(len(chunk))
        pace.next(entry)
        parts.append(part)
    pace.finished()
    total = parts[0] if len(parts) == 1 else _sum(parts, chat, cutoff_len)
    return total.statistics({entry.name: part.share() for entry, part in zip(several, parts, strict=True)})


class _Part:
    """The figures of one source while its rows go by."""

    def __init__(self, chat: ChatTokenizer, cutoff_len: int, train_on_prompt: bool = False,
                 mask_history: bool = False) -> None:
        self.chat, self.cutoff_len = chat, cutoff_len
        self.options = (train_on_prompt, mask_history)
        self.values = sorted({*CANDIDATES, cutoff_len})
        self.figures = np.zeros((5, len(self.values)), np.int64)
        self.read = 0
        self.skipped: Counter[str] = Counter()
        self.turns: Counter[int] = Counter()
        self.languages: Counter[str] = Counter()
        self.lengths = {name: Lengths() for name in ("tokens", "trained", "characters")}

    def add(self, found: Sequence[Sample | str]) -> None:
        """Take a chunk of rows in."""
        self.read += len(found)
        self.skipped.update(one for one in found if isinstance(one, str))
        samples = [one for one in found if not isinstance(one, str)]
        for sample, encoded in zip(samples, _encoded(self.chat, samples, *self.options), strict=True):
            if isinstance(encoded, str):
                self.skipped[encoded] += 1
            else:
                self._take(sample, encoded)

    def _take(self, sample: Sample, sides: Sequence[Encoded]) -> None:
        words = sample.text or "".join(one.content for one in (*sample.messages, *sample.rejected))
        cut, lost, tokens, trained = self._at_every_cutoff(sides)
        if lost[self.values.index(self.cutoff_len)]:
            self.skipped["prompt_too_long"] += 1
        else:
            self.turns[sum(one.role == "assistant" for one in sample.messages)] += 1
            self.languages[language(words)] += 1
            self.lengths["characters"].add(len(words))
        self.lengths["tokens"].add(max(len(side.ids) for side in sides))
        self.lengths["trained"].add(sum(end - start for side in sides for start, end in side.spans))
        whole = sum(len(side.ids) for side in sides)
        self.figures += np.stack((cut & ~lost, lost, tokens * ~lost, trained * ~lost, (whole - tokens) * ~lost))

    def _at_every_cutoff(self, sides: Sequence[Encoded]) -> tuple[np.ndarray, ...]:
        values = np.asarray(self.values)
        lengths = np.asarray([len(side.ids) for side in sides])
        starts, ends = np.asarray([span for side in sides for span in side.spans]).reshape(-1, 2).T
        first = max(side.spans[0][0] for side in sides)
        trained = (np.minimum(ends[:, None], values) - np.minimum(starts[:, None], values)).sum(0)
        return lengths.max() > values, first >= values, np.minimum(lengths[:, None], values).sum(0), trained

    def join(self, other: _Part) -> None:
        """Take another source's figures in."""
        self.figures += other.figures
        self.read += other.read
        for mine, theirs in ((self.skipped, other.skipped), (self.turns, other.turns),
                             (self.languages, other.languages)):
            mine.update(theirs)  # type: ignore[arg-type]
        for name, lengths in self.lengths.items():
            lengths.join(other.lengths[name])

    def cutoff(self, value: int) -> Cutoff:
        """What this cutoff_len would do."""
        cut, lost, tokens, trained, gone = map(int, self.figures[:, self.values.index(value)])
        return Cutoff(value, cut, lost, tokens, trained, gone)

    def share(self) -> Share:
        """This source's part of a mix."""
        at, used = self.cutoff(self.cutoff_len), self.used
        return Share(self.read, used, at.tokens, at.trained_tokens, at.cut_rows, at.tokens / used if used else 0.0)

    @property
    def used(self) -> int:
        """The rows that teach something."""
        return self.read - sum(self.skipped.values())

    def statistics(self, sources: Mapping[str, Share]) -> Statistics:
        """The figures as they stand."""
        at = self.cutoff(self.cutoff_len)
        suggested = self._suggested()
        near = CANDIDATES[max(0, _place(suggested) - 1):_place(suggested) + 2]
        shown = [one for one in self.values if one in (self.cutoff_len, *near) or self._is_telling(one)]
        return Statistics(self.read, self.used, dict(self.skipped), self.cutoff_len, at.tokens, at.trained_tokens,
                          at.cut_rows, at.cut_tokens, self.lengths, dict(sorted(self.turns.items())),
                          {name: self.languages[name] for name in LANGUAGES}, sources,
                          [self.cutoff(one) for one in shown], suggested)

    def _suggested(self) -> int:
        """The least candidate that leaves ninety-nine rows in a hundred whole; 0 without rows."""
        rows = self.lengths["tokens"].count
        for value in CANDIDATES:
            at = self.cutoff(value)
            if rows and rows - at.cut_rows - at.lost_rows >= WHOLE_ROWS * rows:
                return value
        return CANDIDATES[-1] if rows else 0

    def _is_telling(self, value: int) -> bool:
        """Whether a candidate cuts some rows and not nearly all, or is the first that cuts none."""
        rows, at = self.lengths["tokens"].count, self.cutoff(value)
        touched = at.cut_rows + at.lost_rows
        if touched:
            return touched <= rows / 2
        before = self.values[self.values.index(value) - 1] if value != self.values[0] else None
        return before is None or bool(self.cutoff(before).cut_rows + self.cutoff(before).lost_rows)


def _place(candidate: int) -> int:
    return CANDIDATES.index(candidate) if candidate in CANDIDATES else 0


def _sum(parts: Sequence[_Part], chat: ChatTokenizer, cutoff_len: int) -> _Part:
    total = _Part(chat, cutoff_len)
    for part in parts:
        total.join(part)
    return total


def _encoded(chat: ChatTokenizer, samples: Sequence[Sample], train_on_prompt: bool,
             mask_history: bool) -> Iterator[tuple[Encoded, ...] | str]:
    """The tokens of each row, of both its conversations where it is a pair, or its reason."""
    pairs = iter(chat.encode_pairs([one for one in samples if one.rejected], NO_CUTOFF))
    talks = iter(chat.encode_batch([one for one in samples if one.messages and not one.rejected], NO_CUTOFF,
                                   train_on_prompt, mask_history))
    for sample in samples:
        if sample.text:
            yield (plain.encode(chat, sample),)
        elif sample.rejected:
            yield next(pairs)
        else:
            one = next(talks)
            yield one if isinstance(one, str) else (one,)


class _Pace:
    """Tells how far the rows are and stops when asked to."""

    def __init__(self, entries: Sequence[Entry], tell: Tell | None, should_stop: Stop | None) -> None:
        self.tell, self.should_stop = tell, should_stop
        self.total = sum(_size(entry) for entry in entries)
        self.rows = self.behind = self.here = 0

    def at(self, position: int) -> None:
        """So many bytes of the present dataset lie behind."""
        self.here = position

    def tick(self, rows: int) -> None:
        """So many rows more."""
        self.rows += rows
        if self.tell:
            done = self.behind + self.here
            share = min(1.0, done / self.total) if self.total else 1.0
            self.tell(self.rows, max(self.rows, round(self.rows / share) if share else self.rows))
        if self.should_stop and self.should_stop():
            raise StopAsked("measuring")

    def next(self, entry: Entry) -> None:
        """A dataset is done."""
        self.behind, self.here = self.behind + _size(entry), 0

    def finished(self) -> None:
        """All are done."""
        if self.tell:
            self.tell(self.rows, self.rows)


def _size(entry: Entry) -> int:
    return sum(source.size for source in sources_of(entry))
