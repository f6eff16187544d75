"""How long a dataset's rows are, what training would learn of them, and which cutoff_len would suit them.

One pass over the rows with the functions that training uses; memory holds how often each length occurs, not the rows.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from studio.data import plain
from studio.data.catalogue import Entry, sources_of
from studio.data.chat import ChatTokenizer, Encoded
from studio.data.cutoffs import Cutoff, Cutoffs
from studio.data.lengths import Lengths
from studio.data.scripts import language
from studio.data.walk import walk
from studio.errors import StopAsked
from studio.sample import Sample

NO_CUTOFF = 1 << 30
CHUNK_ROWS = 512
LANGUAGES = ("zh", "en", "other")
Tell = Callable[[int, int], None]
Stop = Callable[[], bool]


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
    `lengths` holds, under tokens, trained and characters, how long the rows are before anything is cut.
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
        self.chat, self.options = chat, (train_on_prompt, mask_history)
        self.cutoffs = Cutoffs(cutoff_len)
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
        kept: list[tuple[Sample, tuple[Encoded, ...]]] = []
        for sample, encoded in zip(samples, _encoded(self.chat, samples, *self.options), strict=True):
            if isinstance(encoded, str):
                self.skipped[encoded] += 1
            else:
                kept.append((sample, encoded))
        for (sample, sides), is_lost in zip(kept, self.cutoffs.add([sides for _, sides in kept]), strict=True):
            if is_lost:
                self.skipped["prompt_too_long"] += 1
            else:
                self._take(sample)
            self.lengths["tokens"].add(max(len(side.ids) for side in sides))
            self.lengths["trained"].add(sum(end - start for side in sides for start, end in side.spans))

    def _take(self, sample: Sample) -> None:
        words = sample.text or "".join([one.content for one in (*sample.messages, *sample.rejected)])
        self.turns[sum(one.role == "assistant" for one in sample.messages)] += 1
        self.languages[language(words)] += 1
        self.lengths["characters"].add(len(words))

    def join(self, other: _Part) -> None:
        """Take another source's figures in."""
        self.cutoffs.join(other.cutoffs)
        self.read += other.read
        self.skipped.update(other.skipped)
        self.turns.update(other.turns)
        self.languages.update(other.languages)
        for name, lengths in self.lengths.items():
            lengths.join(other.lengths[name])

    @property
    def used(self) -> int:
        """The rows that teach something."""
        return self.read - sum(self.skipped.values())

    def share(self) -> Share:
        """This source's part of a mix."""
        at, used = self.cutoffs.at(self.cutoffs.chosen), self.used
        return Share(self.read, used, at.tokens, at.trained_tokens, at.cut_rows, at.tokens / used if used else 0.0)

    def statistics(self, sources: Mapping[str, Share]) -> Statistics:
        """The figures as they stand."""
        at = self.cutoffs.at(self.cutoffs.chosen)
        return Statistics(self.read, self.used, dict(self.skipped), at.cutoff_len, at.tokens, at.trained_tokens,
                          at.cut_rows, at.cut_tokens, self.lengths, dict(sorted(self.turns.items())),
                          {name: self.languages[name] for name in LANGUAGES}, sources, self.cutoffs.telling(),
                          self.cutoffs.suggested())


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
