"""One answer as it is seen: thinking folded, words, tool calls, proof, and what can be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.chats.tree import ANSWERING, DONE, FAILED, STOPPED
from studio.chats.views import AnswerView
from studio.data.templates import OWN
from studio.texts import say
from studio.ui import amounts, prose
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.chat.visit import Visit
from studio.ui.tabs.data import controls

# What the fold below an answer tells of it, in this order; each has its words in page.chat.proof.
_FACTS = ("lane", "base_hash", "adapter_hash", "step", "chosen", "quantization", "dtype", "template", "seed",
          "prompt_tokens", "reused_tokens", "tokens", "seconds", "first_token_seconds")
_SHORT, _FULL = 8, 16  # letters of a hash, below an answer and in its fold


def draw(visit: Visit, answer: AnswerView, body: Html | None = None, presses: Html | None = None, *,
         named: bool = False) -> Html:
    """An answer; `body` stands in the place of its words. While names are hidden there is no lane, and no proof.

    Without `named`, its lane is left to the head of the column where that says the same.
    """
    return tag(
        "article",
        head(visit, answer, named),
        thinking(visit, answer),
        body if body is not None else words(visit, answer),
        calls(visit, answer),
        trouble(visit, answer),
        proof(visit, answer) if answer.lane else None,
        presses,
        class_=f"answer is-{answer.state}",
        data_key=f"answer-{answer.place}",
        data_place=answer.place,
    )


def head(visit: Visit, answer: AnswerView, named: bool) -> Html:
    """Which lane answers, and which of its answers this is."""
    name = answer.lane or visit.say("answer.hidden", place=answer.place)
    is_said_above = not named and visit.lanes.get(answer.place) == answer.lane
    return tag("header", lane_mark(answer.place), tag("span", name, class_="lane-name", title=name),
               variants(visit, answer), class_="who same" if is_said_above else "who")


def variants(visit: Visit, answer: AnswerView) -> Html | None:
    """The way through several answers of one lane to one question."""
    return turned(visit, answer.variants, answer.id, "pick", "answer")


def turned(visit: Visit, all_of: tuple[str, ...], this: str, do: str, what: str) -> Html | None:
    """`‹ 2 / 3 ›`: before and after this one, where there are several."""
    if len(all_of) < 2 or this not in all_of:
        return None
    at = all_of.index(this)
    ways = [
        controls.button(sign, do, kind="quiet turn-to", off=not 0 <= to < len(all_of), title=visit.say(f"turn.{word}"),
                        **{what: all_of[to] if 0 <= to < len(all_of) else this})
        for sign, word, to in (("‹", "before", at - 1), ("›", "after", at + 1))
    ]
    return tag("span", ways[0], tag("small", f"{at + 1} / {len(all_of)}"), ways[1], class_="turns-of")


def lane_mark(slot: str) -> Html:
    """A lane's letter in its colour."""
    return tag("b", slot, class_=f"slot slot-{slot}", aria_hidden="true")


def thinking(visit: Visit, answer: AnswerView) -> Html | None:
    """What was thought before the answer, folded."""
    if not answer.thinking.strip():
        return None
    is_thinking = answer.state == ANSWERING and not answer.content
    said = visit.say("answer.thinking" if is_thinking else "answer.thought", count=amounts.count(len(answer.thinking)))
    return tag("details", tag("summary", said), *prose.blocks(answer.thinking, visit.lang), class_="thinking",
               data_key=f"thinking-{answer.id}")


def words(visit: Visit, answer: AnswerView) -> Html:
    """The words, block by block; an answer that is being said grows in its place."""
    grows = answer.id if answer.state == ANSWERING else None
    said = answer.content if answer.correction is None else answer.correction
    corrected = tag("small", visit.say("answer.corrected"), class_="chip") if answer.correction is not None else None
    empty = visit.say("answer.empty") if answer.state == DONE and not said.strip() and not answer.tool_calls else None
    return join(
        corrected,
        tag("div", *blocks(visit.lang, said), tag("p", empty, class_="quiet") if empty else None, class_="words",
            data_grows=grows, data_key=f"words-{answer.id}"),
        tag("pre", said, id=f"said-{answer.id}", hidden=True),
    )


def blocks(lang: str, text: str) -> list[Html]:
    """The blocks of an answer's words, each of which knows its place."""
    return [tag("div", block, data_key=f"b{number}") for number, block in enumerate(prose.blocks(text, lang))]


def calls(visit: Visit, answer: AnswerView) -> Html | None:
    """The tools that the model wants to use, with a box for what each gives back."""
    if not answer.tool_calls:
        return None
    wanted = [_call(visit, answer, call, number) for number, call in enumerate(answer.tool_calls)]
    give = controls.submit(visit.say("answer.give")) if answer.state != ANSWERING else None
    return controls.form("tool", *wanted, give, answer=answer.id, class_="calls", key=f"calls-{answer.id}")


def _call(visit: Visit, answer: AnswerView, call: Mapping[str, Any], number: int) -> Html:
    wanted = call.get("function") or {}
    result = visit.say("answer.result")
    box = controls.area(f"call-{call.get('id') or number}", "", rows=2, name_for=result, placeholder=result)
    name = tag("p", visit.say("answer.wants", name=str(wanted.get("name", ""))), class_="wants")
    return tag("section", name, tag("pre", str(wanted.get("arguments", ""))), box, class_="call", data_key=f"c{number}")


def trouble(visit: Visit, answer: AnswerView) -> Html | None:
    """Why there is no more of the answer."""
    if answer.state == FAILED:
        again = controls.button(visit.say("answer.try"), "again", kind="strong", answer=answer.id)
        return tag("div", controls.failure(visit.lang, {"code": answer.code, "values": answer.values}), again,
                   class_="trouble")
    if answer.state == STOPPED:
        return controls.note(visit.say("answer.stopped"))
    if answer.finish == "length":
        return controls.note(visit.say("answer.cut"))
    return None


def proof(visit: Visit, answer: AnswerView) -> Html:
    """Which weights answered and how fast; one press away, all that is known of it."""
    if answer.state == ANSWERING:
        return tag("p", foot(visit.say, answer), class_="proof", data_foot=answer.id,
                   data_key=f"proof-{answer.id}")
    known = answer.proof
    facts = [(visit.say(f"proof.{name}"), fact(visit, name, known[name])) for name in _FACTS
             if known.get(name) not in (None, "")]
    line = tag("summary", foot(visit.say, answer))
    changed = tag("p", visit.say("proof.changed"), class_="problem") if known.get("changed_on_disk") else None
    return tag("details", line, controls.facts(facts), changed, class_="proof", data_key=f"proof-{answer.id}")


def foot(speak: Any, answer: AnswerView) -> Html:
    """The quiet line below an answer: step, weights, tokens, seconds."""
    known = answer.proof
    tokens, seconds = answer.tokens, answer.seconds
    parts = [
        speak("proof.at_step", step=amounts.count(known["step"])) if known.get("step") else None,
        speak("proof.adapter_is", hash=str(known["adapter_hash"])[:_SHORT]) if known.get("adapter_hash")
        else speak("proof.base_is", hash=str(known["base_hash"])[:_SHORT]) if known.get("base_hash") else None,
        speak("proof.one" if tokens == 1 else "proof.count", count=amounts.count(tokens)) if tokens else None,
        speak("proof.took", seconds=f"{seconds:.1f}" if seconds >= 0.1 else f"{seconds:.2f}") if seconds else None,
        speak("proof.speed", count=amounts.count(answer.speed)) if answer.speed else None,
    ]
    said = " · ".join(part for part in parts if part)
    return join(said or speak("proof.waiting" if answer.state == ANSWERING else "proof.none"))


def fact(visit: Visit, name: str, value: Any) -> Any:
    """A fact as it is read."""
    if name in ("base_hash", "adapter_hash"):
        return tag("code", str(value)[:_FULL], title=str(value))
    if name == "template" and value == OWN:
        return say(visit.lang, "choices.template.own")
    if name == "chosen":
        return visit.say(f"proof.is_{value}") if value in ("best", "last") else value
    if isinstance(value, float):
        return f"{value:.3g}"
    return amounts.count(value) if isinstance(value, int) and name != "seed" else value
