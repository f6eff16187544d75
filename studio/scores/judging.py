"""Asking a judge over any OpenAI address: several calls at a time, each kept at once; what fails again is missing."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from studio.chats import client
from studio.chats.client import Address
from studio.errors import StopAsked, StudioError, WorkError
from studio.scores.judge import MOST_SAID_TOKENS, Call, Judged, about_tokens, understood
from studio.scores.predictions import whole_bytes

AT_ONCE = 4
TRIES = 4
CALL_SECONDS = 180.0
HOPELESS = 6  # calls that failed before one has worked
FIRST_WAIT_SECONDS, MOST_WAIT_SECONDS = 1.0, 30.0
SLOW, PROSE = "judge_slow", "judge_prose"
_LOOK_SECONDS = 0.2
_AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)
Stop = Callable[[], bool]
Tell = Callable[[int, int], None]


@dataclass(frozen=True)
class Bench:
    """Where the judge sits and how it is asked."""

    address: Address
    model: str
    rubric: str = ""
    lang: str = "en"
    call_seconds: float = CALL_SECONDS
    first_wait_seconds: float = FIRST_WAIT_SECONDS
    seed: int = 0


def ask(bench: Bench, calls: Sequence[Call], journal: Path, should_stop: Stop,
        tell: Tell | None = None) -> dict[tuple[str, bool], Judged]:
    """The verdict of every call, those that `journal` has already not asked again, missing ones anew.

    Raises StopAsked, and WorkError judge_silent when the first calls all fail.
    """
    there = {key: one for key, one in read(journal).items() if one.verdict is not None}
    found = {call.key: there[call.key] for call in calls if call.key in there}
    left = [call for call in calls if call.key not in found]
    over = threading.Event()
    journal.parent.mkdir(parents=True, exist_ok=True)
    with open(journal, "ab") as file:
        file.truncate(whole_bytes(journal))
    with open(journal, "ab") as file, ThreadPoolExecutor(AT_ONCE) as pool:
        waiting = {pool.submit(_judged, bench, call, lambda: over.is_set() or should_stop()) for call in left}
        worked = failed = 0
        try:
            while waiting:
                done, waiting = wait(waiting, _LOOK_SECONDS, FIRST_COMPLETED)
                if should_stop():
                    raise StopAsked("judging")
                for one in done:
                    judged = one.result()
                    found[judged.key, judged.swapped] = judged
                    file.write(judged.line().encode("utf-8", "replace"))
                    file.flush()
                    worked, failed = worked + (not _is_silent(judged)), failed + _is_silent(judged)
                    if failed >= HOPELESS and not worked:
                        raise WorkError("judge_silent", url=bench.address.root, reason=judged.said or judged.error)
                if tell and done:
                    tell(len(found), len(calls))
        finally:
            over.set()
            pool.shutdown(wait=True, cancel_futures=True)
    return found


def _is_silent(judged: Judged) -> bool:
    """Whether the judge gave no answer at all; prose without a verdict is an answer."""
    return bool(judged.error) and judged.error != PROSE


def read(journal: Path) -> dict[tuple[str, bool], Judged]:
    """The calls in a journal, the last of each; a half line is none."""
    found: dict[tuple[str, bool], Judged] = {}
    for line in _lines(journal):
        try:
            one = Judged(**orjson.loads(line))
        except (ValueError, TypeError):
            continue
        found[one.key, one.swapped] = one
    return found


def _lines(journal: Path) -> Iterator[bytes]:
    if journal.exists():
        with open(journal, "rb") as file:
            yield from (line for line in file if line.endswith(b"\n"))


def _judged(bench: Bench, call: Call, should_stop: Stop) -> Judged:
    """One call, tried a few times where trying again may help; never raises but StopAsked."""
    began, wait_seconds = time.monotonic(), bench.first_wait_seconds
    error: StudioError | None = None
    for attempt in range(TRIES):
        if attempt:
            _rest(wait_seconds * random.uniform(0.7, 1.3), should_stop)
            wait_seconds = min(2 * wait_seconds, MOST_WAIT_SECONDS)
        try:
            said, tokens_in, tokens_out = _said(bench, call, should_stop)
        except StopAsked:
            if should_stop():
                raise
            error = WorkError(SLOW)
            continue
        except StudioError as found:
            error = found
            if not _may_help(found):
                break
            continue
        verdict = understood(call, said)
        return Judged(*call.key, verdict, said, "" if verdict is not None else PROSE, tokens_in, tokens_out,
                      time.monotonic() - began)
    reason = str(error.values.get("reason") or "") if error else ""
    return Judged(*call.key, None, reason, error.code if error else SLOW, seconds=time.monotonic() - began)


def _may_help(error: StudioError) -> bool:
    """Whether asking once more may bring an answer: a full queue or a broken line, but no wrong key."""
    return error.code != "engine_refused" or error.values.get("status") in _AGAIN


def _said(bench: Bench, call: Call, should_stop: Stop) -> tuple[str, int, int]:
    """(the judge's words, tokens read, tokens written); raises StopAsked when it takes too long, too."""
    until = time.monotonic() + bench.call_seconds
    words: list[str] = []
    usage: dict[str, Any] = {}

    def hear(chunk: Mapping[str, Any]) -> None:
        usage.update(chunk.get("usage") or {})
        for choice in chunk.get("choices") or ():
            words.append((choice.get("delta") or {}).get("content") or "")

    messages = call.messages(bench.rubric, bench.lang)
    body = {"model": bench.model, "messages": messages, "temperature": 0, "max_tokens": MOST_SAID_TOKENS,
            "seed": bench.seed, "stream": True, "stream_options": {"include_usage": True}}
    client.stream(bench.address, body, hear, lambda: should_stop() or time.monotonic() > until)
    said = "".join(words)
    read_tokens = usage.get("prompt_tokens") or sum(about_tokens(one["content"]) for one in messages)
    return said, int(read_tokens), int(usage.get("completion_tokens") or about_tokens(said))


def _rest(seconds: float, should_stop: Stop) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if should_stop():
            raise StopAsked("judging")
        time.sleep(min(_LOOK_SECONDS, left))
