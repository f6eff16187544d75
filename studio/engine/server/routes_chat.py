"""POST /v1/chat/completions, and the plain form of older servers at POST /."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from studio.data.spoken import CALL, THINKING
from studio.engine.server import messages, protocol, replies
from studio.engine.server.answers import Choice, Said, Telling, seed
from studio.engine.server.errors import Refusal
from studio.engine.server.protocol import CHAT_KEYS, Ask
from studio.engine.server.registry import Served
from studio.engine.server.server import Server
from studio.engine.server.speech import Talk
from studio.errors import StudioError
from studio.sample import Message
from studio.specs.chat import SAMPLING

_LONG_TEXT = 20_000  # characters from which on a prompt is encoded beside the loop


async def chat(request: Request, server: Server) -> Response:
    """Answer a conversation."""
    said = protocol.parse(await replies.body(request))
    ask = protocol.common(said, CHAT_KEYS)
    talk = messages.talk(said)
    ask = replace(ask, logprobs=_logprobs(said), grammar=protocol.grammar(said))

    async def begin() -> _Chat:
        served = await server.registry.served(ask.model)
        telling = await begun(server, served, ask, talk)
        return _Chat(served, telling, ask)

    if ask.stream:
        return replies.Events(_streamed(begin()), server.lang)
    return replies.Later(_whole(begin(), server))


def _logprobs(said: Mapping[str, Any]) -> int | None:
    wanted = protocol.wanted(said, "logprobs", bool, False)
    top = protocol.whole(said, "top_logprobs", None, 0, protocol.MOST_TOP_LOGPROBS)
    if top is not None and not wanted:
        raise Refusal("top_logprobs_alone", 400, "top_logprobs")
    return (top or 0) if wanted else None


async def begun(server: Server, served: Served, ask: Ask, talk: Talk) -> Telling:
    """The request as the worker is asked: the prompt in ids, its length checked, a seed that is known."""
    size = sum(len(message.content) for message in talk.messages)
    spoken = served.spoken
    prompt = spoken.prompt(talk) if size < _LONG_TEXT else await asyncio.to_thread(spoken.prompt, talk)
    if prompt.forced:
        ask = replace(ask, grammar=prompt.forced.grammar)
    elif ask.grammar and spoken.speech.is_thinking(prompt.text):
        ask = replace(ask, grammar={**ask.grammar, "after": spoken.speech.closed})
    message = message_for(served, ask, prompt.ids)
    return Telling(server.registry, served, server.metrics, ask, message, prompt)


def message_for(served: Served, ask: Ask, ids: list[int], least_tokens: int = 1, **more: Any) -> dict[str, Any]:
    """What the worker is told; raises Refusal prompt_too_long_for_context with both lengths."""
    context, length = served.context, len(ids) + len(ask.prefix_ids)
    if not ids:
        raise Refusal("prompt_empty", 400, "prompt")
    if context and length + least_tokens > context:
        raise Refusal("prompt_too_long_for_context", 400, "messages", length=length, most=context)
    left = context - length if context else 1 << 20
    wanted = SAMPLING["max_new_tokens"].default if ask.max_tokens is None else ask.max_tokens
    sampling = {"temperature": 1.0, "seed": seed(), **ask.sampling}
    return {"lane": served.adapter.key, "ids": ids, "prefix_ids": list(ask.prefix_ids),
            "max_tokens": min(wanted, left), "n": ask.n, "sampling": sampling, "stop": list(ask.stop),
            "end_ids": list(served.spoken.chat.eos_ids), "logprobs": ask.logprobs, "prompt_logprobs": False,
            "grammar": ask.grammar, "num_beams": ask.num_beams, "length_penalty": ask.length_penalty,
            "skip_special": served.spoken.skips_special, **more}


@dataclass
class _Chat:
    """One chat request that has begun, and how it is spelled in OpenAI's form."""

    served: Served
    telling: Telling
    ask: Ask

    def __post_init__(self) -> None:
        self.id = f"chatcmpl-{secrets.token_hex(12)}"
        self.created = int(time.time())

    def head(self, kind: str) -> dict[str, Any]:
        """What every reply and chunk begins with."""
        return {"id": self.id, "object": kind, "created": self.created, "model": self.served.name}

    def logprobs(self, entries: list[list[Any]]) -> dict[str, Any] | None:
        """Tokens with their log probabilities."""
        if self.ask.logprobs is None or not entries:
            return None
        alone = self.served.spoken.vocabulary.alone
        return {"content": [{**_spelled(one[2], alone(one[2]), one[4]),
                             "top_logprobs": [_spelled(*top) for top in one[5] or ()]} for one in entries],
                "refusal": None}


def _spelled(token_id: int, text: str, logprob: float | None) -> dict[str, Any]:
    return {"token": text, "logprob": logprob, "bytes": list(text.encode("utf-8", "surrogatepass")), "id": token_id}


async def _whole(beginning: Any, server: Server) -> Response:
    try:
        talk: _Chat = await beginning
        choices = await talk.telling.whole()
    except StudioError as error:
        return replies.refused(error, server.lang)
    found = [{"index": one.index, "message": _message(one), "logprobs": talk.logprobs(one.entries),
              "finish_reason": one.reason} for one in choices]
    return replies.Json({**talk.head("chat.completion"), "choices": found, "usage": talk.telling.usage(),
                         "system_fingerprint": talk.served.worker.facts.get("base_hash"),
                         "studio": talk.telling.proof()})


def _message(choice: Choice) -> dict[str, Any]:
    content = "".join(choice.content)
    found: dict[str, Any] = {"role": "assistant", "content": content if content or not choice.calls else None,
                             "refusal": None}
    if choice.thinking:
        found["reasoning_content"] = "".join(choice.thinking)
    if choice.calls:
        found["tool_calls"] = choice.calls
    return found


async def _streamed(beginning: Any) -> AsyncIterator[bytes]:
    """The chunks of all choices, one for each step and row; then usage where asked, and the proof."""
    talk: _Chat = await beginning
    head = b"data: " + orjson.dumps(talk.head("chat.completion.chunk"))[:-1] + b',"choices":[{"index":'
    started: set[int] = set()
    ended = 0
    async with contextlib.aclosing(talk.telling.parts()) as parts:
        async for part in parts:
            lines = []
            for said in part:
                if said.choice.index not in started:
                    started.add(said.choice.index)
                    lines.append(_chunk(head, said.choice.index, {"role": "assistant", "content": ""}, None))
                lines += _chunks(head, talk, said)
                if said.ended:
                    ended += 1
                    is_last = ended == talk.ask.n and not talk.ask.usage
                    lines.append(_chunk(head, said.choice.index, {}, None, said.choice.reason,
                                        talk.telling.proof() if is_last else None))
            yield b"".join(lines)
    if talk.ask.usage:
        yield replies.event({**talk.head("chat.completion.chunk"), "choices": [], "usage": talk.telling.usage(),
                             "studio": talk.telling.proof()})


def _chunks(head: bytes, talk: _Chat, said: Said) -> list[bytes]:
    """What is new of one choice; its log probabilities go with the first piece."""
    logprobs = talk.logprobs(said.entries)
    found = []
    for piece in said.pieces:
        if piece.kind == CALL:
            said.choice.keep([piece])
            place = len(said.choice.calls) - 1
            delta: dict[str, Any] = {"tool_calls": [{"index": place, **said.choice.calls[place]}]}
        else:
            delta = {"reasoning_content" if piece.kind == THINKING else "content": piece.text}
        found.append(_chunk(head, said.choice.index, delta, logprobs))
        logprobs = None
    if logprobs is not None:
        found.append(_chunk(head, said.choice.index, {}, logprobs))
    return found


def _chunk(head: bytes, index: int, delta: dict[str, Any], logprobs: dict[str, Any] | None, reason: str | None = None,
           proof: dict[str, Any] | None = None) -> bytes:
    tail = b',"studio":' + orjson.dumps(proof) + b"}\n\n" if proof is not None else b"}\n\n"
    return b"".join((head, str(index).encode(), b',"delta":', orjson.dumps(delta), b',"logprobs":',
                     orjson.dumps(logprobs), b',"finish_reason":', orjson.dumps(reason), b"}]", tail))


# ---- the plain form of older servers ----

async def plain(request: Request, server: Server) -> Response:
    """`{"prompt", "history", "max_length", "top_p", "temperature"}` → `{"response", "history", "status", "time"}`."""
    said = protocol.parse(await replies.body(request))
    talk, history = plain_talk(said)
    name = said.get("model") or next(iter(server.registry.names()), "")
    longest = protocol.whole(said, "max_length", 2048, 1, 1_048_576)
    ask = protocol.common({"model": name, "temperature": said.get("temperature", 0.95),
                           "top_p": said.get("top_p", 0.7)}, CHAT_KEYS)

    async def work() -> Response:
        try:
            served = await server.registry.served(ask.model)
            prompt = await asyncio.to_thread(served.spoken.prompt, talk)
            asked = replace(ask, max_tokens=max(1, (longest or 0) - len(prompt.ids)))
            telling = await begun(server, served, asked, talk)
            answer = "".join((await telling.whole())[0].content)
        except StudioError as error:
            return replies.refused(error, server.lang)
        asked_last = talk.messages[-1].content
        return replies.Json({"response": answer, "history": [*history, [asked_last, answer]], "status": 200,
                             "time": datetime.now().strftime("%Y-%m-%d %H:%M:%S")})

    return replies.Later(work())


def plain_talk(said: Mapping[str, Any]) -> tuple[Talk, list[list[str]]]:
    """The conversation of a plain request, and its history as it came."""
    question = protocol.wanted(said, "prompt", str, "")
    if not question:
        raise Refusal("body_needs", 400, "prompt", name="prompt")
    history = protocol.wanted(said, "history", list, [])
    if not all(isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair)
               for pair in history):
        raise Refusal("plain_history", 400, "history")
    turns = [message for one, reply in history for message in (Message("user", one), Message("assistant", reply))]
    return Talk((*turns, Message("user", question))), history
