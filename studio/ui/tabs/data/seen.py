"""What the model sees: any row token by token, as the model's tokenizer and template make it and training cuts it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from studio.data.index import RowIndex
from studio.ui import amounts
from studio.ui.markup import Html, join, tag
from studio.ui.tabs.data import controls, eyes, indexing, lengths, readers, talk
from studio.ui.tabs.data.place import Place
from studio.ui.tabs.data.visit import Visit

if TYPE_CHECKING:
    from studio.data.microscope import Slide, Token

_MOST_TOKENS = 3000
_STATES = ("trained", "context", "cut")
_LINES = {"\n": "↵\n", "\t": "→\t"}


def draw(visit: Visit) -> Html:
    """The row, its counters, its tokens; for a pair both answers side by side."""
    from studio.data.microscope import look_both

    waiting = indexing.working(visit)
    if waiting is not None:
        return waiting
    place, chat, browser = visit.place, eyes.chat(visit), indexing.opened(visit)
    if not browser.index.rows:
        return controls.note(visit.say("rows.none"))
    number = min(max(0, int(place.of("seen").get("number", 0))), browser.index.rows - 1)
    row = browser.row(number)
    head = join(_tools(visit, number, browser.index), controls.note(eyes.terms(visit)))
    if row.sample is None:
        why = controls.problem(visit.say("rows.unused", reason=readers.reason(visit.lang, row.skipped)))
        return join(head, why, talk.raw(row.text))
    slides = look_both(chat, row.sample, eyes.cutoff_len(visit), **eyes.options(visit))
    shown = [slide(visit, one, number, side, len(slides) > 1) for side, one in enumerate(slides)]
    inside = tag("div", *shown, class_="slides pair") if len(shown) > 1 else shown[0]
    return join(head, legend(visit), inside, lengths.whole(visit))


def go(visit: Visit, said: Mapping[str, Any]) -> Place:
    """To another row, by its number from 0, or by the one from 1 that was typed."""
    typed = str((said.get("fields") or {}).get("number", "")).replace(",", "").strip()
    wanted = int(typed) - 1 if typed.isdigit() and "to" not in said else int(said.get("to", 0))
    return visit.place.keep("seen", number=max(0, wanted))


ACTIONS = {"go": go, **lengths.ACTIONS}


def _tools(visit: Visit, number: int, index: RowIndex) -> Html:
    where = index.place(number)
    words = visit.say("seen.row", number=amounts.count(number + 1), rows=amounts.count(index.rows))
    steps = tag(
        "div",
        controls.button("‹", "go", to=number - 1, off=number == 0, title=visit.say("seen.before"), key="before"),
        tag("span", words),
        controls.button(
            "›", "go", to=number + 1, off=number + 1 >= index.rows, title=visit.say("seen.after"), key="after"
        ),
        class_="pager",
    )
    number_field = controls.field(
        "number", "", hint=visit.say("rows.number"), inputmode="numeric", name_for=visit.say("rows.number")
    )
    place = tag("small", visit.say("rows.where", file=where.file, line=amounts.count(where.line)), class_="quiet")
    return controls.row(steps, controls.form("go", number_field, class_="inline short"), place, class_="tools")


def legend(visit: Visit) -> Html:
    signs = [tag("span", tag("b", visit.say(f"seen.{state}"), class_=f"t {state}")) for state in _STATES]
    return tag(
        "p",
        *signs,
        tag("span", tag("b", visit.say("seen.special"), class_="t special")),
        class_="legend",
        aria_label=visit.say("seen.legend"),
    )


def slide(visit: Visit, slide: Slide, number: int, side: int, is_pair: bool) -> Html:
    title = tag("h4", visit.say("talk.rejected" if side else "talk.chosen")) if is_pair else None
    reason = None
    if slide.reason:
        reason = controls.problem(visit.say("rows.unused", reason=readers.reason(visit.lang, slide.reason)))
    counters = controls.numbers(
        [
            (visit.say("seen.tokens"), amounts.count(len(slide.tokens))),
            *((visit.say(f"seen.{state}"), amounts.count(slide.count(state))) for state in _STATES),
            (visit.say("seen.share"), amounts.share(slide.trained, max(1, slide.trained + slide.context))),
        ]
    )
    more = len(slide.tokens) - _MOST_TOKENS
    rest = controls.note(visit.say("seen.more", count=amounts.count(more))) if more > 0 else None
    drawn = slide.tokens[:_MOST_TOKENS]
    tokens = tag(
        "div",
        *(_token(visit, one, place, drawn[place - 1] if place else None) for place, one in enumerate(drawn)),
        class_="tokens",
        tabindex="0",
        data_key=f"tokens-{number}-{side}",
    )
    left_off = (
        tag("p", visit.say("seen.left_off"), tag("code", repr(slide.rest)), class_="quiet") if slide.rest else None
    )
    return tag(
        "div",
        title,
        counters,
        reason,
        tokens if slide.tokens else talk.raw(slide.text),
        rest,
        left_off,
        _turns(visit, slide),
        class_="slide",
    )


def _token(visit: Visit, token: Token, place: int, before: Token | None) -> Html:
    """One token; whoever points at it reads its id, its place in the text and its bytes.

    Of a character in several tokens the first shows the character, the others a small square.
    """
    shown = token.text or "∅"
    if token.part:
        shown = "▫" if before is not None and before.part and before.start == token.start else token.part
    elif "\ufffd" in shown or (not shown.isprintable() and not shown.isspace()):
        shown = " ".join(f"{byte:02X}" for byte in token.bytes)
    for sign, seen in _LINES.items():
        shown = shown.replace(sign, seen)
    whole = visit.say("seen.part_of", text=token.part) if token.part else ""
    title = visit.say(
        "seen.tip",
        place=place + 1,
        id=token.id,
        start=token.start,
        end=token.end,
        bytes=" ".join(f"{byte:02X}" for byte in token.bytes[:24]) or "–",
        part=whole,
    ).rstrip()
    kinds = ["t", token.state, *(["special"] if token.special else []), *(["bytes"] if shown == "▫" else [])]
    return tag("b", shown, class_=" ".join(kinds), title=title)


def _turns(visit: Visit, slide: Slide) -> Html | None:
    if len(slide.turns) < 1:
        return None
    head = [visit.say(f"seen.{name}") for name in ("turn", "tokens", *_STATES)]
    rows = [
        [
            visit.say(f"talk.{one.role}"),
            *(amounts.count(value) for value in (one.tokens, one.trained, one.context, one.cut)),
        ]
        for one in slide.turns
    ]
    return controls.fold(visit.say("seen.turns", count=len(slide.turns)), controls.table(head, rows), key="turns")
