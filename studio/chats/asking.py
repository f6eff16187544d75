"""What is asked of an engine: a conversation as one lane knows it, in the words of the OpenAI protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.chats.tree import DONE, Answer, Message, Token, Tree

# What every server of the protocol takes; the studio's own engine takes all of `sampling`.
OPENAI = ("temperature", "top_p", "max_tokens", "presence_penalty", "frequency_penalty", "seed", "stop",
          "response_format", "logit_bias")
ALTERNATIVES = 5
# What the declared arguments (specs.chat) are called in a request.
_ASKED_AS = {"max_new_tokens": "max_tokens", "answer_seed": "seed"}
Turn = dict[str, Any]


def history(tree: Tree, message: Message, slot: str, *, thinks: bool = True) -> list[Turn]:
    """The turns up to and with `message` as the lane in `slot` knows them: what it said itself, where it spoke.

    Where it was not there yet, the first lane's answer stands for its own; what was said to others alone is left out,
    and so is a question that got no answer. `thinks` keeps what was thought before each answer; which of it a model
    sees again is for its template to say.
    """
    turns: list[Turn] = []
    for one in tree.path(message.id):
        if one.alone and slot not in one.slots:
            continue
        said = _turn_of(one)
        if one.id == message.id:
            turns.append(said)
            break
        answer = _spoken(tree, one, slot)
        if answer is not None:
            turns += [said, answer_turn(answer, thinks)]
        elif one.role == "tool":
            turns.append(said)  # several calls are answered one after the other, and the lane speaks after the last
    system = message.system.strip()
    return [{"role": "system", "content": message.system}, *turns] if system else turns


def body(turns: list[Turn], model: str, sampling: Mapping[str, Any], tools: list[dict[str, Any]], *,
         is_own: bool) -> dict[str, Any]:
    """The request for one streamed answer with its tokens; other servers get what the protocol itself has."""
    given = {_ASKED_AS.get(name, name): value for name, value in sampling.items() if value not in (None, "", [], {})}
    if not is_own:
        given = {name: value for name, value in given.items() if name in OPENAI}
    asked = {"model": model, "messages": turns, **given, "stream": True, "stream_options": {"include_usage": True},
             "logprobs": True, "top_logprobs": ALTERNATIVES}
    if tools:
        asked["tools"] = [tool if "function" in tool else {"type": "function", "function": tool} for tool in tools]
    return asked


def going_on(words: str, tokens: list[Token], turns: list[Turn], *, is_own: bool) -> dict[str, Any]:
    """What the request needs besides for an answer that begins with these words, which are these tokens.

    Our own engine takes the very ids and says them again before it goes on; others take the words.
    """
    ids = [token[1] for token in tokens]
    if is_own and ids and -1 not in ids:
        return {"prefix_ids": ids}
    turn = {"role": "assistant", "content": words}
    return {"messages": [*turns, turn], "continue_final_message": True, "add_generation_prompt": False}


def answer_turn(answer: Answer, thinks: bool) -> Turn:
    """What a lane said, as a turn of the conversation."""
    turn: Turn = {"role": "assistant", "content": answer.words}
    if thinks and answer.thinking and answer.correction is None:
        turn["reasoning_content"] = answer.thinking
    if answer.tool_calls:
        turn["tool_calls"] = answer.tool_calls
    return turn


def _turn_of(message: Message) -> Turn:
    turn: Turn = {"role": message.role, "content": message.content}
    if message.call:
        turn["tool_call_id"] = message.call
    return turn


def _spoken(tree: Tree, message: Message, slot: str) -> Answer | None:
    """The answer that a lane goes on from; another's where it had none of its own."""
    slots = [slot] if slot in message.slots else sorted(message.slots)
    for one in slots:
        answer = tree.picked(message, one)
        if answer is not None and (answer.words.strip() or answer.tool_calls or answer.state == DONE):
            return answer
    return None
