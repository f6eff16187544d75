"""Does the server hold out: `soak.py [MINUTES] [--clients N]`; random requests, lanes and cancels, then a verdict.

Clients of several kinds talk to the starter and two checkpoints of it: short and long, streamed and whole, with stop
strings, several answers at once, beams and schemas; a third of the streams are dropped in mid-answer, and adapters are
unloaded and loaded again. Once a second the memory of every process and the rows in the worker are noted. The verdict:
memory of the last quarter within 5 % of that of the second quarter, and no row and no place left when all is quiet.
"""

from __future__ import annotations

import argparse
import http.client
import json
import random
import statistics
import sys
import tempfile
import threading
import time
import urllib.error
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from materials import adapter_on_starter
from serving import KEY, Server, cores, studio

QUIET_SECONDS, MOST_DRIFT = 20.0, 0.05
SCHEMA = {"type": "object", "properties": {"sum": {"type": "integer"}}, "required": ["sum"]}
EXPECTED = (200, 400, 422, 429, 503)


@dataclass
class Notes:
    """What was seen: answers by status, dropped streams, and a sample a second."""

    statuses: Counter[int] = field(default_factory=Counter)
    dropped: int = 0
    tokens: int = 0
    odd: list[str] = field(default_factory=list)
    memory: list[tuple[float, float]] = field(default_factory=list)
    rows: list[float] = field(default_factory=list)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def note(self, status: int, text: str = "") -> None:
        with self.guard:
            self.statuses[status] += 1
            if status not in EXPECTED:
                self.odd.append(f"{status} {text[:200]}")


def body(chance: random.Random, names: list[str]) -> dict[str, Any]:
    """A request of a random kind."""
    turns = [{"role": "user", "content": f"{chance.randrange(999)} + {chance.randrange(999)} = ?"}]
    for _ in range(chance.choice((0, 0, 0, 1, 3))):
        turns += [{"role": "assistant", "content": str(chance.randrange(999))},
                  {"role": "user", "content": "tell me about the sea " * chance.randrange(1, 25)}]
    asked: dict[str, Any] = {"model": chance.choice(names), "messages": turns,
                             "temperature": chance.choice((0, 0.7, 1.5)), "seed": chance.randrange(10**6),
                             "max_tokens": chance.choice((1, 8, 64, 200)), "logit_bias": {"0": -5}}
    kind = chance.randrange(12)
    if kind == 0:
        asked |= {"n": 3, "temperature": 1}
    elif kind == 1:
        asked |= {"stop": ["7", "sea"]}
    elif kind == 2:
        asked |= {"logprobs": True, "top_logprobs": 5}
    elif kind == 3:
        asked |= {"response_format": {"type": "json_schema", "json_schema": {"name": "sum", "schema": SCHEMA}}}
    elif kind == 4:
        asked |= {"num_beams": 3, "temperature": 0}
    elif kind == 5:
        asked |= {"max_tokens": 0}
    if chance.random() < 0.7 and "num_beams" not in asked:
        asked |= {"stream": True, "stream_options": {"include_usage": True}}
    return asked


def client(server: Server, names: list[str], seed: int, until: float, notes: Notes) -> None:
    """Ask until the time is over; a third of the streams are left in the middle."""
    chance = random.Random(seed)
    while time.monotonic() < until:
        asked = body(chance, names)
        line = http.client.HTTPConnection("127.0.0.1", server.port, timeout=300)
        try:
            line.request("POST", "/v1/chat/completions", json.dumps(asked),
                         {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"})
            reply = line.getresponse()
            if reply.status == 200 and asked.get("stream") and chance.random() < 0.33:
                reply.read(chance.randrange(1, 600))
                with notes.guard:
                    notes.dropped += 1
            else:
                text = reply.read().decode(errors="replace")
                notes.note(reply.status, text)
                if reply.status == 429:
                    time.sleep(0.5)
        except (OSError, http.client.HTTPException) as error:
            notes.note(0, repr(error))
        finally:
            line.close()
        time.sleep(chance.random() * 0.2)


def reload(server: Server, names: list[str], until: float) -> None:
    """Unload an adapter and load it again, now and then, while it may be answering."""
    chance = random.Random(7)
    while time.monotonic() < until:
        time.sleep(5 + 10 * chance.random())
        name = chance.choice(names)
        for verb in ("unload", "load"):
            with suppress(urllib.error.HTTPError):
                server.fetch(f"/studio/{verb}", {"model": name})


def sample(server: Server) -> tuple[float, float]:
    """(megabytes of the server's own processes, rows and waiting requests in the worker)."""
    resident = 0.0
    for one in server.tree():
        with suppress(psutil.Error):
            resident += one.memory_info().rss / 1e6
    found = gauges(server)
    return resident, found["studio_rows"] + found["studio_queue"]


def gauges(server: Server) -> dict[str, float]:
    """The figures of /metrics by name, labels of one name added up."""
    request = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    request.request("GET", "/metrics", headers={"Authorization": f"Bearer {KEY}"})
    found: Counter[str] = Counter()
    for text in request.getresponse().read().decode().splitlines():
        if text and not text.startswith("#"):
            name, _, value = text.rpartition(" ")
            found[name.partition("{")[0]] += float(value)
    request.close()
    return dict(found)


def watch(server: Server, until: float, notes: Notes) -> None:
    """Note a sample a second."""
    while time.monotonic() < until:
        with suppress(OSError, http.client.HTTPException, ValueError):
            megabytes, rows = sample(server)
            notes.memory.append((time.monotonic(), megabytes))
            notes.rows.append(rows)
        time.sleep(1)


def verdict(server: Server, notes: Notes, minutes: float) -> bool:
    """Print what was seen; whether the server held out."""
    deadline, left = time.monotonic() + QUIET_SECONDS, sample(server)[1]
    while left and time.monotonic() < deadline:
        time.sleep(0.5)
        left = sample(server)[1]
    quarter = len(notes.memory) // 4
    early = statistics.median(value for _, value in notes.memory[quarter : 2 * quarter])
    late = statistics.median(value for _, value in notes.memory[-quarter:])
    drift = late / early - 1
    answered = sum(notes.statuses.values())
    heads = ("minutes", "answered", "dropped in mid-stream", "most rows", "MB in the second quarter", "in the last",
             "drift", "rows left when quiet")
    cells = (f"{minutes:g}", f"{answered:,}", f"{notes.dropped:,}", f"{max(notes.rows):.0f}", f"{early:.0f}",
             f"{late:.0f}", f"{100 * drift:+.1f} %", f"{left:.0f}")
    for row in (heads, ("---:",) * len(heads), cells):
        print(f"| {' | '.join(row)} |")
    print("by status:", dict(sorted(notes.statuses.items())))
    for text in notes.odd[:5]:
        print("unexpected:", text)
    print({name: value for name, value in gauges(server).items() if "python" not in name})
    held = abs(drift) <= MOST_DRIFT and not left and not notes.odd
    print("held out" if held else "did not hold out", f"({cores()})")
    return held


def main(arguments: list[str]) -> int:
    """Soak, then judge; 1 when the server did not hold out."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("minutes", nargs="?", type=float, default=60)
    parser.add_argument("--clients", type=int, default=6)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folders = [str(adapter_on_starter(number)) for number in range(2)]
        with studio(Path(scratch), "starter", *folders) as server:
            names = [name for name in server.models() if name != "starter"]
            notes, until = Notes(), time.monotonic() + 60 * options.minutes
            jobs = [threading.Thread(target=client, args=(server, names, seed, until, notes))
                    for seed in range(options.clients)]
            jobs += [threading.Thread(target=reload, args=(server, names[:-1], until)),
                     threading.Thread(target=watch, args=(server, until, notes))]
            for job in jobs:
                job.start()
            for job in jobs:
                job.join()
            return 0 if verdict(server, notes, options.minutes) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
