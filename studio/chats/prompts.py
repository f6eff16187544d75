"""A prompt set: many prompts through all lanes in one go, the answers in a table; it can be stopped and resumed.

A set lies in `data/chats/sets/<id>.jsonl`, a journal like a conversation: what it was begun with, then one line an
answer. What is there is not asked again.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from studio.chats import client
from studio.chats.asking import body
from studio.chats.conversation import slots_of
from studio.chats.journal import Event, Journal, create
from studio.chats.talk import seeded
from studio.chats.tree import DONE, FAILED
from studio.errors import InputError, StopAsked, StudioError
from studio.workspace import Workspace

AT_ONCE = 16
MOST = 10_000
_FOLDER = "sets"
_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")
_running: dict[Path, PromptSet] = {}
_guard = threading.Lock()


@dataclass(frozen=True)
class Prompt:
    """One prompt: the turns that lead to the answer, and the answer that a dataset gives, if it does."""

    turns: tuple[Mapping[str, Any], ...]
    reference: str = ""

    @property
    def words(self) -> str:
        """What is asked last."""
        return str(self.turns[-1]["content"])


@dataclass(frozen=True)
class Cell:
    """One lane's answer to one prompt; `code` and `values` are of the error when it failed."""

    content: str = ""
    thinking: str = ""
    state: str = DONE
    code: str = ""
    values: Mapping[str, Any] = field(default_factory=dict)
    tokens: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Row:
    """One line of the table: its number from 1, the prompt, and the answers by column."""

    number: int
    prompt: Prompt
    cells: Mapping[str, Cell]


class PromptSet:
    """The prompts, the lanes and the answers so far; one object a set in a process (`open_set`)."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.name = ""
        self.prompts: tuple[Prompt, ...] = ()
        self.slots: dict[str, str] = {}
        self.system = ""
        self.sampling: dict[str, Any] = {}
        self.created = 0.0
        self._cells: dict[tuple[int, str], Cell] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._journal = Journal(path, self._fold)
        self._lock = threading.RLock()
        self._journal.refresh()

    @property
    def id(self) -> str:
        """What names it."""
        return self.path.stem

    @property
    def total(self) -> int:
        """How many answers there will be."""
        return len(self.prompts) * len(self.slots)

    @property
    def done(self) -> int:
        """How many are there; what failed is asked again when the set is resumed."""
        with self._lock:
            return sum(cell.state == DONE for cell in self._cells.values())

    @property
    def is_running(self) -> bool:
        """Whether this process is asking."""
        return self._thread is not None and self._thread.is_alive()

    def rows(self) -> list[Row]:
        """The table as far as it is filled."""
        with self._lock:
            self._journal.refresh()
            return [Row(number, prompt, {slot: self._cells[number - 1, slot] for slot in self.slots
                                         if (number - 1, slot) in self._cells})
                    for number, prompt in enumerate(self.prompts, 1)]

    def start(self, engine: Any) -> None:
        """Ask for whatever answer is missing; returns at once. Raises InputError set_running."""
        with self._lock:
            if self.is_running:
                raise InputError("set_running")
            self._journal.refresh()
            self._stop = threading.Event()
            self._thread = threading.Thread(target=self._run, args=(engine, self._stop), daemon=True, name="prompts")
            self._thread.start()

    def stop(self) -> None:
        """Ask for no more; what is being answered is left where it is and asked again when the set is resumed."""
        self._stop.set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is asked any more; whether that is so."""
        if self._thread is not None:
            self._thread.join(seconds)
        return not self.is_running

    def _run(self, engine: Any, stop: threading.Event) -> None:
        missing = [(number, slot) for number in range(len(self.prompts)) for slot in self.slots
                   if (cell := self._cells.get((number, slot))) is None or cell.state != DONE]
        with ThreadPoolExecutor(AT_ONCE, "prompt") as pool:
            for number, slot in missing:
                pool.submit(self._answer, engine, stop, number, slot)

    def _answer(self, engine: Any, stop: threading.Event, number: int, slot: str) -> None:
        if stop.is_set():
            return
        began, heard = time.monotonic(), _Heard()
        try:
            self._ask(engine, stop, number, slot, heard)
            state, code, values = DONE, "", {}
        except StopAsked:
            return
        except StudioError as error:
            state, code, values = FAILED, error.code, dict(error.values)
        except Exception as error:  # one answer's fault shall not end the others
            state, code, values = FAILED, "unexpected", {"kind": type(error).__name__, "reason": str(error)[:300]}
        event = {"do": "cell", "number": number, "slot": slot, "state": state, "code": code, "values": values,
                 "content": "".join(heard.words), "thinking": "".join(heard.thoughts), "tokens": heard.tokens,
                 "seconds": round(heard.seconds or time.monotonic() - began, 3)}
        with self._lock:
            try:
                self._journal.add([event])
            except StudioError:  # removed, or the disk is full: what was said is worth nothing without a place
                stop.set()

    def _ask(self, engine: Any, stop: threading.Event, number: int, slot: str, heard: _Heard) -> None:
        address, model = engine.road(self.slots[slot])
        turns = [dict(turn) for turn in self.prompts[number].turns]
        if self.system.strip() and turns[0]["role"] != "system":
            turns.insert(0, {"role": "system", "content": self.system})
        asked = body(turns, model, self.sampling, [], is_own=address.is_own)
        for name in ("logprobs", "top_logprobs"):
            asked.pop(name)
        client.stream(address, asked, heard.hear, stop.is_set)

    def _fold(self, event: Event) -> None:
        if event["do"] == "begin":
            self.name, self.system = str(event.get("name") or ""), str(event.get("system") or "")
            self.created, self.sampling = float(event.get("at") or 0), dict(event.get("sampling") or {})
            self.slots = dict(event.get("slots") or {})
            self.prompts = tuple(Prompt(tuple(one["turns"]), one.get("reference") or "") for one in event["prompts"])
        elif event["do"] == "cell":
            self._cells[int(event["number"]), str(event["slot"])] = Cell(
                **{name: event[name] for name in ("content", "thinking", "state", "code", "values", "tokens", "seconds")
                   if name in event})


class _Heard:
    """What a stream said."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.thoughts: list[str] = []
        self.tokens = 0
        self.seconds = 0.0

    def hear(self, chunk: Mapping[str, Any]) -> None:
        usage, proof = chunk.get("usage"), chunk.get("studio")
        self.tokens = int(usage.get("completion_tokens") or self.tokens) if isinstance(usage, dict) else self.tokens
        self.seconds = float(proof.get("seconds") or self.seconds) if isinstance(proof, dict) else self.seconds
        for choice in chunk.get("choices") or ():
            delta = choice.get("delta") or {}
            self.words.append(delta.get("content") or "")
            self.thoughts.append(delta.get("reasoning_content") or delta.get("reasoning") or "")


def begin(workspace: Workspace, name: str, prompts: Sequence[Prompt], lanes: Sequence[str],
          sampling: Mapping[str, Any] | None = None, system: str = "") -> PromptSet:
    """A new set, not yet started; the same seed for all answers.

    Raises InputError prompts_none, prompts_many, lanes_none, lanes_many, WorkError disk_full, disk_refuses.
    """
    if not prompts:
        raise InputError("prompts_none", name=name)
    if len(prompts) > MOST:
        raise InputError("prompts_many", name=name, count=len(prompts), most=MOST)
    id = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"
    create(folder_of(workspace) / f"{id}.jsonl", [{
        "do": "begin", "name": name, "at": time.time(), "slots": slots_of(lanes), "system": system,
        "sampling": seeded(sampling or {}),
        "prompts": [{"turns": list(map(dict, one.turns)), "reference": one.reference} for one in prompts]}])
    return open_set(workspace, id)


def open_set(workspace: Workspace, id: str) -> PromptSet:
    """The set of this id, the same object for all in this process; raises InputError set_unknown."""
    path = folder_of(workspace) / f"{id}.jsonl"
    if not _ID.fullmatch(id) or not path.is_file():
        raise InputError("set_unknown", name=id)
    with _guard:
        if path not in _running:
            _running[path] = PromptSet(path)
        return _running[path]


def sets(workspace: Workspace) -> list[str]:
    """The ids of all sets, the latest first."""
    there = (path.stem for path in folder_of(workspace).glob("*.jsonl"))
    return sorted(filter(_ID.fullmatch, there), reverse=True)


def remove(workspace: Workspace, id: str) -> None:
    """Stop a set and throw it away; raises InputError set_unknown."""
    found = open_set(workspace, id)
    found.stop()
    with _guard:
        _running.pop(found.path, None)
    found.path.unlink(missing_ok=True)


def folder_of(workspace: Workspace) -> Path:
    """Where sets are."""
    return workspace.data / "chats" / _FOLDER


