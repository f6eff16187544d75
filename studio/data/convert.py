"""A dataset written in another format, where nothing is lost: every written row reads back as the sample it was."""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from studio.data.aside import refused
from studio.data.catalogue import Entry, sources_of
from studio.data.walk import Place, walk
from studio.errors import InputError, StopAsked
from studio.plugins import kinds, plugin
from studio.plugins.formats import Unusable
from studio.sample import Sample

SEVERAL, LOST_BACK = "several_instances", "lost_back"
EXAMPLES = 3
_TICK_ROWS = 512
Tell = Callable[[int, int], None]
Stop = Callable[[], bool]


@dataclass(frozen=True)
class Converted:
    """What became of a dataset's rows: `left_out` counts by reason (`data.skipped.<reason>`) those not written.

    `examples` has up to three places of each reason. A row with several instances is written as several.
    """

    path: Path
    rows: int
    written: int
    left_out: dict[str, int] = field(default_factory=dict)
    examples: dict[str, list[Place]] = field(default_factory=dict)


def writable() -> tuple[str, ...]:
    """The formats that rows can be written in."""
    return tuple(name for name in kinds("formats") if hasattr(plugin("formats", name), "write"))


def convert(entry: Entry, to_format: str, path: Path, tell: Tell | None = None, should_stop: Stop | None = None,
            ) -> Converted:
    """Write an entry's rows to a new file: a JSON array if its name ends so, else JSON lines.

    `tell(done, total)` hears bytes. Raises InputError convert_unknown, convert_exists, convert_nothing (with the
    commonest reason), dataset_empty and what walking raises, StopAsked, WorkError disk_full or disk_refuses; whatever
    it raises, no file is left behind.
    """
    if to_format not in writable():
        raise InputError("convert_unknown", value=to_format, known=list(writable()))
    if path.exists():
        raise InputError("convert_exists", path=str(path))
    job = _Job(entry, to_format, tell, should_stop)
    making = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(making, "xb") as file:
            (job.array if path.suffix.lower() == ".json" else job.lines)(file)
            file.flush()
            os.fsync(file.fileno())
        job.check_written()
        _take(making, path)
    except OSError as error:
        raise refused(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            making.unlink()
    return Converted(path, job.rows, job.written, dict(job.left_out), job.examples)


def _take(making: Path, path: Path) -> None:
    """Give the finished file its name, which nobody else may have taken meanwhile."""
    try:
        os.link(making, path)
    except FileExistsError:
        raise InputError("convert_exists", path=str(path)) from None
    except OSError:  # a file system without links
        os.replace(making, path)


class _Job:
    """One conversion."""

    def __init__(self, entry: Entry, to_format: str, tell: Tell | None, should_stop: Stop | None) -> None:
        self.entry, self.to_format, self.should_stop = entry, to_format, should_stop
        module = plugin("formats", to_format)
        self.write, self.read_back = module.write, module.reader({}, {})
        self.rows = self.written = self.done = 0
        self.left_out: Counter[str] = Counter()
        self.examples: dict[str, list[Place]] = {}
        self.total = sum(source.size for source in sources_of(entry))
        self.tell = tell

    def lines(self, file: IO[bytes]) -> None:
        """One row a line."""
        for row in self.spelled():
            file.write(row + b"\n")

    def array(self, file: IO[bytes]) -> None:
        """One JSON array, a row a line."""
        for place, row in enumerate(self.spelled()):
            file.write((b",\n" if place else b"[\n") + row)
        file.write(b"\n]\n")

    def spelled(self) -> Iterator[bytes]:
        """The rows that can be written, as JSON; the others are counted."""
        for place, row, said in walk(self.entry, at=self._at):
            self.rows += 1
            if self.rows % _TICK_ROWS == 0:
                self.tick()
            for one in self._unfolded(row) if said == SEVERAL else [said]:
                try:
                    if isinstance(one, str):
                        raise Unusable(one)
                    spelled = self._spelled(one)
                except Unusable as why:
                    self.left_out[why.reason] += 1
                    examples = self.examples.setdefault(why.reason, [])
                    if len(examples) < EXAMPLES:
                        examples.append(place)
                    continue
                self.written += 1
                yield spelled
        self.tick()

    def _spelled(self, sample: Sample) -> bytes:
        row = self.write(sample)
        text = json.dumps(row, ensure_ascii=False)
        try:
            same = self.read_back(json.loads(text)) == sample
        except Unusable:
            same = False
        if not same:
            raise Unusable(LOST_BACK)
        try:
            return text.encode()
        except UnicodeEncodeError:  # half a surrogate pair, which JSON can only escape
            return json.dumps(row).encode()

    def _unfolded(self, row: Any) -> list[Sample | str]:
        """The samples of a task with several instances."""
        module = plugin("formats", "belle")
        read, found = module.reader(self.entry.columns, self.entry.tags), []
        for one in module.each(row, self.entry.columns):
            try:
                found.append(read(one))
            except Unusable as why:
                found.append(why.reason)
        return found

    def _at(self, position: int) -> None:
        self.done = position

    def tick(self) -> None:
        """Tell how far it is and stop when asked to."""
        if self.tell:
            self.tell(min(self.done, self.total), self.total)
        if self.should_stop and self.should_stop():
            raise StopAsked("converting")

    def check_written(self) -> None:
        """Raise when no row was written."""
        if not self.rows:
            raise InputError("dataset_empty", name=self.entry.name, path=str(self.entry.path))
        if not self.written:
            reason, count = self.left_out.most_common(1)[0]
            raise InputError("convert_nothing", name=self.entry.name, rows=self.rows, value=self.to_format,
                             count=count, reason=f"@data.skipped.{reason}")

