"""Registry: which names are served, which worker holds each one's base, and what is loaded, changed or idle.

A request's name is looked up anew each time, so a checkpoint that was written or replaced a moment ago is what answers.
An adapter that changed on disk is put beside its former self under another name; what answers on that one goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import difflib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from studio.chats import lanes
from studio.chats.lanes import Lane
from studio.engine.server.errors import Refusal
from studio.engine.server.settings import Settings
from studio.engine.server.speech import Spoken
from studio.engine.server.workers import Worker
from studio.errors import InputError, StudioError

LOAD_PATIENCE_SECONDS = 20.0
_TICK_SECONDS = 1.0
_LOOKED_UP_SECONDS = 0.5


@dataclass
class Adapter:
    """An adapter in a worker, as it was on disk when it was loaded; the bare base is one without a `key`."""

    key: str
    lane: Lane
    stamp: tuple[Any, ...]
    facts: dict[str, Any] = field(default_factory=dict)
    answers: int = 0
    used: float = field(default_factory=time.monotonic)
    is_old: bool = False
    replaced: bool = False  # it took the place of another, for whose name it answers now


@dataclass
class Base:
    """One base model: its worker and the adapters on it."""

    folder: Path
    lane: Lane
    worker: Worker
    stamp: tuple[Any, ...]
    adapters: dict[str, Adapter] = field(default_factory=dict)
    rows: int = 0
    used: float = field(default_factory=time.monotonic)
    count: int = 0
    wanted: bool = False  # asked for at the start: whoever comes meanwhile is told to come back


@dataclass(frozen=True)
class Served:
    """What answers a request: the base's worker, the adapter in it, the tokenizer and template."""

    name: str
    lane: Lane
    base: Base
    adapter: Adapter
    spoken: Spoken

    @property
    def worker(self) -> Worker:
        """The process that answers."""
        return self.base.worker

    @property
    def context(self) -> int:
        """The most tokens that a prompt and its answer may have together; 0 when nobody knows."""
        return int(self.worker.facts.get("context") or 0)


class Registry:
    """The models of one server."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.workspace = settings.workspace
        self.listed: dict[str, Lane] = {}
        self.bases: dict[Path, Base] = {}
        self._spoken: dict[tuple[Any, ...], Spoken] = {}
        self._found: dict[str, tuple[float, Lane]] = {}
        self._loading: dict[Path, asyncio.Lock] = {}
        self._ticking: asyncio.Task[None] | None = None
        self.closing = False
        self.beginning = bool(settings.models)  # what is listed is not all in memory yet

    # ---- names ----

    def list_models(self) -> None:
        """Look up what is to be served; raises what `lanes.lane` raises."""
        for name in self.settings.models:
            first = next(iter(self.listed.values()), None)
            try:
                self.listed[name] = lanes.lane(name, self.workspace)
            except InputError as error:
                if first is None or error.code not in ("adapter_base_missing", "lane_no_base"):
                    raise
                self.listed[name] = lanes.lane(name, self.workspace, base_of(first))

    @property
    def base(self) -> Lane | None:
        """What the name `base` means: the model of the first that is listed, else of the last that was loaded."""
        first = next(iter(self.listed.values()), None)
        if first is not None:
            return base_of(first)
        latest = max(self.bases.values(), key=lambda one: one.used, default=None)
        return latest.lane if latest else None

    def lane(self, name: str) -> Lane:
        """The lane of a name in a request.

        Raises Refusal lane_unserved, and what `lanes.lane` raises where the whole workspace is open.
        """
        if not self.settings.is_open:
            name = self.listed_name(name)
        at, found = self._found.get(name, (0.0, None))
        if found is None or time.monotonic() - at > _LOOKED_UP_SECONDS:
            found = self._looked_up(name)
            self._found[name] = (time.monotonic(), found)
        return found

    def _looked_up(self, name: str) -> Lane:
        if name in self.listed and not self.listed[name].run:
            return self.listed[name]
        if name == lanes.BASE or name in self.listed:
            return lanes.lane(name, self.workspace, self.base if name == lanes.BASE else None)
        try:
            return lanes.lane(name, self.workspace)
        except InputError as error:
            if error.code != "adapter_base_missing" or self.base is None:
                raise
            return lanes.lane(name, self.workspace, self.base)

    def listed_name(self, name: str) -> str:
        """The name as it is listed; a checkpoint of a run that is served is served, too."""
        if name in self.listed or name == lanes.BASE:
            return name
        if self.base is not None and name in (self.base.base_name, Path(self.base.base_name).name):
            return lanes.BASE
        run, _, step = name.rpartition("/")
        if run in self.listed and self.listed[run].run == run and step.startswith("step-"):
            return name
        short = [one for one in self.listed if Path(one).name == name]
        if len(short) == 1:
            return short[0]
        names = self.names()
        near = difflib.get_close_matches(name, names, 3, 0.3)
        raise Refusal("lane_unserved", 404, "model", name=name, known=near or names[:8])

    def names(self) -> list[str]:
        """Every name that a closed server answers to; folders by their last part where that says enough."""
        listed = [self._short(name) for name in self.listed]
        return list(dict.fromkeys([*listed, *([lanes.BASE] if self.base else [])]))

    def _short(self, name: str) -> str:
        last = Path(name).name
        alike = [one for one in self.listed if Path(one).name == last]
        return last if Path(name).is_absolute() and len(alike) == 1 and last != lanes.BASE else name

    # ---- loading ----

    async def served(self, name: str, waits: bool = True) -> Served:
        """What answers under a name now, loaded where it was not; a changed file on disk is read again.

        Raises Refusal model_loading (503) while its base is being loaded, and whatever is wrong with the lane.
        """
        lane = self.lane(name)
        base = await self._based(lane, LOAD_PATIENCE_SECONDS if waits else None)
        adapter = await self._adapter(base, lane)
        base.used = time.monotonic()
        return Served(name, lane, base, adapter, self.spoken(lane))

    async def load(self, name: str, force: bool = False) -> Served:
        """Load a lane however long it takes; raises Refusal lane_memory_short when there is no room, unless forced."""
        lane = self.lane(name)
        base = await self._based(lane, None, force)
        return Served(name, lane, base, await self._adapter(base, lane), self.spoken(lane))

    async def _based(self, lane: Lane, patience: float | None, force: bool = False) -> Base:
        base = self.bases.get(lane.base)
        if base is None or not base.worker.alive:
            base = await self._begin(lane, force)
        if not base.worker.ready.done() and patience is not None:
            with contextlib.suppress(TimeoutError):
                if not base.wanted:
                    await asyncio.wait_for(asyncio.shield(base.worker.ready), patience)
            if not base.worker.ready.done():
                raise Refusal("model_loading", 503, "model", self._seconds_left(base), name=lane.name)
        try:
            await asyncio.shield(base.worker.ready)
        except StudioError:
            self._drop(base)
            raise
        base.wanted = False
        return base

    async def _begin(self, lane: Lane, force: bool = False) -> Base:
        """The worker of a lane's base, begun; not yet ready."""
        async with self._loading.setdefault(lane.base, asyncio.Lock()):
            base = self.bases.get(lane.base)
            if base is not None and base.worker.alive:
                return base
            if self.closing:
                raise Refusal("server_closing", 503, retry_seconds=5)
            cost = await asyncio.to_thread(lanes.estimate, lane, self.settings.quantization_bit,
                                           self.settings.compute_type)
            if not cost.fits and not force:
                raise Refusal("lane_memory_short", 507, "model", name=lane.name, needed=round(cost.bytes / 1e9, 1),
                              free=round((cost.available_bytes or 0) / 1e9, 1))
            worker = Worker(self._config(lane))
            await worker.start()
            about = base_of(lane)
            self.bases[lane.base] = found = Base(lane.base, about, worker, stamp_of(about))
            found.adapters[""] = Adapter("", about, found.stamp)
            return found

    def _config(self, lane: Lane) -> dict[str, Any]:
        asked = self.settings
        return {"base": str(lane.base), "name": lane.base_name, "quantization_bit": asked.quantization_bit,
                "compute_type": asked.compute_type, "cpu_threads": asked.cpu_threads, "max_lanes": asked.max_lanes,
                "context": asked.context, "cache_bytes": asked.cache_bytes, "trust": asked.trust}

    def _seconds_left(self, base: Base) -> int:
        """About how long loading still takes: a gigabyte of weights in two seconds, and the libraries."""
        weights = sum(size for name, size, _ in base.stamp if name.endswith(".safetensors"))
        return max(1, round(6 + weights / 5e8 - (time.monotonic() - base.worker.began)))

    def _drop(self, base: Base) -> None:
        if self.bases.get(base.folder) is base:
            del self.bases[base.folder]

    async def _adapter(self, base: Base, lane: Lane) -> Adapter:
        """The adapter of a lane as it is on disk now."""
        if lane.adapter is None or lane.kind == "whole":
            await self._renew_base(base, lane)
            return self.bases[base.folder].adapters[""]
        stamp = stamp_of(lane)
        where = str(lane.adapter)
        there = (one for one in base.adapters.values() if str(one.lane.adapter) == where and not one.is_old)
        former = next(there, None)
        if former is not None and former.stamp == stamp and former.facts:
            return former
        async with self._loading.setdefault(lane.adapter, asyncio.Lock()):
            for one in base.adapters.values():
                if str(one.lane.adapter) == where and not one.is_old and one.stamp == stamp:
                    return one
            base.count += 1
            key = lane.name if lane.name not in base.adapters else f"{lane.name}#{base.count}"
            adapter = Adapter(key, lane, stamp, replaced=former is not None)
            adapter.facts = await self._put(base, key, lane)
            base.adapters[key] = adapter
            if former is not None:
                former.is_old = True
                self._leave_if_old(base, former)
            return adapter

    async def _put(self, base: Base, key: str, lane: Lane) -> dict[str, Any]:
        """What the worker says of the adapter; what is wrong with the adapter is wrong with the name that was asked."""
        assert lane.adapter is not None
        try:
            return await base.worker.load(key, lane.adapter, lane.kind)
        except StudioError as error:
            if error.code in ("engine_ended", "out_of_memory"):
                raise
            found = Refusal(error.code, 400, "model")
            found.values = dict(error.values)
            raise found from error

    async def _renew_base(self, base: Base, lane: Lane) -> None:
        """A base whose files changed is loaded again, once what it answers is done."""
        if base.rows == 0 and stamp_of(base.lane) != base.stamp:
            self._drop(base)
            await base.worker.end()
            await self._based(lane, None)
            self.bases[base.folder].adapters[""].replaced = True

    def _leave_if_old(self, base: Base, adapter: Adapter) -> None:
        if adapter.is_old and adapter.answers == 0 and base.adapters.pop(adapter.key, None) is not None:
            base.worker.unload(adapter.key)

    @contextlib.contextmanager
    def answering(self, served: Served, rows: int) -> Iterator[None]:
        """Rows of a request are in the worker meanwhile; raises Refusal queue_full when there is no place to wait."""
        base, most = served.base, self.settings.max_lanes + self.settings.queue
        if rows > most:
            raise Refusal("rows_too_many", 422, "n", value=rows, most=most)
        if base.rows + rows > most:
            raise Refusal("queue_full", 429, None, max(1, min(60, base.rows // self.settings.max_lanes)), most=most)
        base.rows += rows
        served.adapter.answers += 1
        try:
            yield
        finally:
            base.rows -= rows
            served.adapter.answers -= 1
            served.adapter.used = base.used = time.monotonic()
            self._leave_if_old(base, served.adapter)

    def spoken(self, lane: Lane) -> Spoken:
        """The tokenizer and template of a lane; read once as long as its files stay the same."""
        template = self.settings.template or lane.template
        system = self.settings.default_system or lane.default_system
        stamps = tuple(one for one in stamp_of(base_of(lane)) if not one[0].endswith(".safetensors"))
        key = (lane.base, template, system, stamps)
        if key not in self._spoken:
            self._spoken[key] = Spoken.load(lane.base, template, system, self.workspace)
        return self._spoken[key]

    # ---- unloading ----

    async def unload(self, name: str) -> None:
        """Take a lane out of memory: an adapter out of its worker, a base with its worker and all on it."""
        lane = self.lane(name)
        base = self.bases.get(lane.base)
        if base is None:
            return
        if lane.adapter is None or lane.kind == "whole":
            self._drop(base)
            await base.worker.end()
            return
        for one in list(base.adapters.values()):
            if one.lane.adapter == lane.adapter:
                one.is_old = True
                self._leave_if_old(base, one)

    def start(self) -> None:
        """Load what is listed, without waiting for it, and begin to watch for idle models."""
        self._ticking = asyncio.create_task(self._tick())

    async def load_listed(self) -> None:
        """Load everything that is listed, base after base; raises the first error."""
        self.beginning = True
        for name, lane in self.listed.items():
            base = await self._begin(lane)
            base.wanted = not base.worker.ready.done()
            await self.load(name)
        self.beginning = False

    def refuse_beginning(self) -> None:
        """Whoever asks what is served hears it once it is: a list is taken for what answers now.

        Raises Refusal model_loading (503).
        """
        if self.beginning:
            waiting = next((base for base in self.bases.values() if base.wanted), None)
            seconds = self._seconds_left(waiting) if waiting is not None else 1
            name = waiting.lane.name if waiting is not None else next(iter(self.listed))
            raise Refusal("model_loading", 503, "model", seconds, name=name)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            await self.unload_idle(time.monotonic())

    async def unload_idle(self, now: float) -> None:
        """End the workers that nobody has asked for the set time; adapters leave before them."""
        seconds = self.settings.idle_minutes * 60
        for base in list(self.bases.values()):
            is_idle = base.rows == 0 and base.worker.ready.done() and now - base.used > seconds
            if not base.worker.alive or (seconds and is_idle):
                self._drop(base)
                await base.worker.end()
                continue
            for one in list(base.adapters.values()):
                if seconds and one.key and one.answers == 0 and now - one.used > seconds:
                    one.is_old = True
                    self._leave_if_old(base, one)

    async def end(self) -> None:
        """End all workers."""
        self.closing = True
        if self._ticking:
            self._ticking.cancel()
        await asyncio.gather(*(base.worker.end() for base in self.bases.values()))
        self.bases.clear()


def base_of(lane: Lane) -> Lane:
    """The bare model on which a lane stands; a fully tuned checkpoint is its own."""
    if lane.adapter is None or lane.kind == "whole":
        return lane
    return replace(lane, name=lane.base_name, adapter=None, kind="base", run="", step=None, chosen="")


def stamp_of(lane: Lane) -> tuple[Any, ...]:
    """What the files of a lane are now."""
    return lane.fingerprint()
