"""POST /v1/completions and /v1/embeddings: texts or token ids as they are, without a chat template."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import math
import secrets
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from studio.engine.server import protocol, replies
from studio.engine.server.answers import Choice, Said, Telling
from studio.engine.server.errors import Refusal
from studio.engine.server.protocol import TEXT_KEYS, Ask
from studio.engine.server.registry import Served
from studio.engine.server.routes_chat import message_for
from studio.engine.server.server import Server
from studio.errors import StudioError

MOST_PROMPTS = 2048
_EMBEDDING_KEYS = frozenset({"model", "input", "encoding_format", "dimensions", "user"})


@dataclass
class _Texts:
    """One request of completions: a Telling for each prompt, in order."""

    served: Served
    ask: Ask
    echo: bool
    tellings: list[Telling]
    prompts: list[list[int]]
    id: str = field(default_factory=lambda: f"cmpl-{secrets.token_hex(12)}")
    created: int = field(default_factory=lambda: int(time.time()))

    def head(self) -> dict[str, Any]:
        """What every reply and chunk begins with."""
        return {"id": self.id, "object": "text_completion", "created": self.created, "model": self.served.name}

    def usage(self) -> dict[str, Any]:
        """Tokens of all prompts and answers."""
        found = [telling.usage() for telling in self.tellings]
        prompt, said = (sum(one[key] for one in found) for key in ("prompt_tokens", "completion_tokens"))
        return {"prompt_tokens": prompt, "completion_tokens": said, "total_tokens": prompt + said}

    def choice(self, number: int, choice: Choice) -> dict[str, Any]:
        """One choice of the prompt with this number."""
        text = "".join(choice.content)
        before = self.text_of(number) if self.echo else ""
        return {"index": number * self.ask.n + choice.index, "text": before + text,
                "logprobs": self._logprobs(number, choice), "finish_reason": choice.reason}

    def text_of(self, number: int) -> str:
        """The prompt's text."""
        return self.served.spoken.chat.decode(self.prompts[number], skip_special_tokens=False)

    def _logprobs(self, number: int, choice: Choice) -> dict[str, Any] | None:
        if self.ask.logprobs is None:
            return None
        alone = self.served.spoken.vocabulary.alone
        first = [None, alone(self.prompts[number][0]), None, None]
        known = [first if one is None else one for one in self.tellings[number].prompt] if self.echo else []
        entries = [*known, *([one[2], alone(one[2]), one[4], one[5]] for one in choice.entries)]
        return legacy_logprobs(entries)


def legacy_logprobs(entries: list[list[Any]]) -> dict[str, Any]:
    """Tokens, their log probabilities, the likeliest by their text, and where each begins."""
    tokens = [one[1] for one in entries]
    offsets, place = [], 0
    for token in tokens:
        offsets.append(place)
        place += len(token)
    return {"tokens": tokens, "token_logprobs": [one[2] for one in entries],
            "top_logprobs": [_tops(one) for one in entries], "text_offset": offsets,
            "ids": [one[0] for one in entries]}


def _tops(entry: list[Any]) -> dict[str, float] | None:
    """The likeliest tokens by text; of two that are spelled alike the likelier one, and the token itself."""
    if entry[3] is None:
        return None
    found: dict[str, float] = {}
    for _, text, value in [*entry[3], (entry[0], entry[1], entry[2])]:
        found[text] = max(value, found.get(text, -math.inf))
    return found


async def completions(request: Request, server: Server) -> Response:
    """Go on with texts, as they are."""
    said = protocol.parse(await replies.body(request))
    echo = protocol.wanted(said, "echo", bool, False)
    ask = protocol.common(said, TEXT_KEYS, least_tokens=0)
    count = protocol.whole(said, "logprobs", None, 0, protocol.MOST_TOP_LOGPROBS)
    ask = replace(ask, logprobs=count, grammar=protocol.grammar(said),
                  max_tokens=16 if ask.max_tokens is None else ask.max_tokens)
    given = protocol.prompts(said, "prompt")
    if len(given) > MOST_PROMPTS:
        raise Refusal("body_many", 400, "prompt", count=len(given), most=MOST_PROMPTS)
    if ask.max_tokens == 0 and not echo:
        raise Refusal("nothing_asked", 422, "max_tokens")
    if said.get("suffix"):
        raise Refusal("suffix_unknown", 400, "suffix")

    async def begin() -> _Texts:
        served = await server.registry.served(ask.model)
        ids = await asyncio.to_thread(lambda: [row_ids(served, one) for one in given])
        least = 0 if ask.max_tokens == 0 else 1
        wants = echo and ask.logprobs is not None
        more: dict[str, Any] = {"prompt_logprobs": wants, "skip_special": True}
        if wants and ask.max_tokens == 1:
            more["end_ids"] = []  # whoever scores a text counts on one token behind it, whichever that is
        tellings = [Telling(server.registry, served, server.metrics, ask, message_for(served, ask, one, least, **more))
                    for one in ids]
        return _Texts(served, ask, echo, tellings, ids)

    if ask.stream:
        return replies.Events(_streamed(begin()), server.lang)
    return replies.Later(_whole(begin(), server))


def row_ids(served: Served, given: str | tuple[int, ...]) -> list[int]:
    """The ids of a text as the model's own tokenizer begins it, or the ids themselves, all of them known."""
    chat = served.spoken.chat
    if isinstance(given, str):
        return chat.tokenizer.encode(given, add_special_tokens=True).ids
    most = int(served.worker.facts.get("vocabulary") or chat.vocabulary)
    strange = next((one for one in given if one >= most), None)
    if strange is not None:
        raise Refusal("answer_ids", 400, "prompt", value=strange, most=most - 1)
    return list(given)


async def _whole(beginning: Any, server: Server) -> Response:
    try:
        texts: _Texts = await beginning
        heard = await _all(texts, server.settings.max_lanes)
    except StudioError as error:
        return replies.refused(error, server.lang)
    choices = [texts.choice(number, one) for number, found in enumerate(heard) for one in found]
    return replies.Json({**texts.head(), "choices": choices, "usage": texts.usage(),
                         "studio": texts.tellings[-1].proof()})


async def _all(texts: _Texts, most_rows: int) -> list[list[Choice]]:
    """The answers to all prompts, as many side by side as there are places; the first error ends the others."""
    places = asyncio.Semaphore(max(1, most_rows // texts.ask.rows))

    async def one(telling: Telling) -> list[Choice]:
        async with places:
            return await telling.whole()

    tasks = [asyncio.create_task(one(telling)) for telling in texts.tellings]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()


async def _streamed(beginning: Any) -> AsyncIterator[bytes]:
    texts: _Texts = await beginning
    for number, telling in enumerate(texts.tellings):
        echoed: set[int] = set()
        async with contextlib.aclosing(telling.parts()) as parts:
            async for part in parts:
                yield b"".join(_chunk(texts, number, said, echoed) for said in part)
    if texts.ask.usage:
        yield replies.event({**texts.head(), "choices": [], "usage": texts.usage(),
                             "studio": texts.tellings[-1].proof()})


def _chunk(texts: _Texts, number: int, said: Said, echoed: set[int]) -> bytes:
    """What is new of one choice of the prompt with this number; the prompt goes before where it is echoed."""
    index = number * texts.ask.n + said.choice.index
    words = "".join(piece.text for piece in said.pieces)
    if texts.echo and index not in echoed:
        echoed.add(index)
        words = texts.text_of(number) + words
    alone = texts.served.spoken.vocabulary.alone
    logprobs = legacy_logprobs([[one[2], alone(one[2]), one[4], one[5]] for one in said.entries]) \
        if texts.ask.logprobs is not None and said.entries else None
    choice = {"index": index, "text": words, "logprobs": logprobs,
              "finish_reason": said.choice.reason if said.ended else None}
    return replies.event({**texts.head(), "choices": [choice]})


# ---- embeddings ----

async def embeddings(request: Request, server: Server) -> Response:
    """A vector of length 1 for each text."""
    said = protocol.parse(await replies.body(request))
    for key in said:
        if key not in _EMBEDDING_KEYS:
            raise Refusal("body_key_unknown", 400, key, name=key, nearest="input")
    name = protocol.model_name(said)
    spelled = said.get("encoding_format") or "float"
    if spelled not in ("float", "base64"):
        raise Refusal("body_encoding", 400, "encoding_format", value=spelled)
    given = protocol.prompts(said, "input")
    if len(given) > MOST_PROMPTS:
        raise Refusal("body_many", 400, "input", count=len(given), most=MOST_PROMPTS)
    size = protocol.whole(said, "dimensions", None, 1, 1_000_000)
    return replies.Later(_embedded(server, name, given, spelled, size))


async def _embedded(server: Server, name: str, given: list[Any], spelled: str, size: int | None) -> Response:
    try:
        served = await server.registry.served(name)
        rows = await asyncio.to_thread(lambda: [row_ids(served, one) for one in given])
        for ids in rows:
            if not ids or (served.context and len(ids) > served.context):
                code = "prompt_too_long_for_context" if ids else "prompt_empty"
                raise Refusal(code, 400, "input", length=len(ids), most=served.context)
        with server.registry.answering(served, 1):
            vectors = [await _vector(served, ids, size) for ids in rows]
    except StudioError as error:
        return replies.refused(error, server.lang)
    data = [{"object": "embedding", "index": place, "embedding": _spelled(vector, spelled)}
            for place, vector in enumerate(vectors)]
    count = sum(map(len, rows))
    server.metrics.tokens["prompt"] += count
    return replies.Json({"object": "list", "data": data, "model": name,
                         "usage": {"prompt_tokens": count, "total_tokens": count}})


async def _vector(served: Served, ids: list[int], size: int | None) -> np.ndarray:
    found = np.asarray((await served.worker.embed([ids]))[0], dtype="<f4")
    if size is None:
        return found
    if size > len(found):
        raise Refusal("body_dimensions", 422, "dimensions", value=size, most=len(found))
    cut = found[:size]
    return np.asarray(cut / (np.linalg.norm(cut) or 1.0), dtype="<f4")


def _spelled(vector: np.ndarray, spelled: str) -> Any:
    return base64.b64encode(vector.tobytes()).decode() if spelled == "base64" else vector.tolist()
